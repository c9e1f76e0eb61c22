"""Which versions are in question under one control, against which other one, and since when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct

from chexnet.experiments.champions import champions, changes
from chexnet.messages import Audit, Control

BEFORE = timedelta(hours=1)  # A fresh champion is measured against what the last one did until now.


class Question(Struct, frozen=True, kw_only=True):
    """One version that must show that it works."""

    version: int
    against: int  # The version that it is measured against.
    revision: int  # The first one under which it has its role: what it did before counts not.


class Stage(Struct, frozen=True, kw_only=True):
    """An exposure, from the change on that made it so; what was only noted makes no new one."""

    revision: int
    began: datetime


class Watch(Struct, frozen=True, kw_only=True):
    """All that is in question under one control: a fresh champion first, then the challengers."""

    control: Control
    questions: tuple[Question, ...]
    since: datetime  # From when on messages are read.
    until: datetime | None = None  # The champion is fresh; None where it is not in question.
    stage: Stage | None = None  # Of the running experiment.

    @property
    def versions(self) -> set[int]:
        """Every version whose images are looked at."""
        return {v for q in self.questions for v in (q.version, q.against)}


def watch(
    control: Control, entries: Iterable[Audit], *, fresh: timedelta, now: datetime
) -> Watch | None:
    """Return what is in question; None where nothing is.

    Args:
        control: as it stands.
        entries: the model's audit, oldest first.
        fresh: how long after its promotion a champion is in question.
        now: the time.
    """
    if control.champion is None:
        return None
    entries = [e for e in entries if e.after <= control.revision]
    questions: list[Question] = []
    since: list[datetime] = []
    until = stage = None
    champion = champions(entries)[-1]
    # None before it: after a rollback, and of the first champion.
    if control.previous is not None and now <= champion.since + fresh:
        until = champion.since + fresh
        since.append(champion.since - BEFORE)
        revision = champion.put_by.after
        questions.append(
            Question(version=control.champion, against=control.previous, revision=revision)
        )
    if control.experiment is not None:
        started = [e for _, e in changes(entries) if e.action == "start"][-1]
        exposed = [e for _, e in changes(entries) if e.action in ("start", "expose")][-1]
        stage = Stage(revision=exposed.after, began=exposed.at)
        since.append(control.experiment.started_at)
        questions += [
            Question(version=v, against=control.champion, revision=started.after)
            for v in control.arms.values()
        ]
    if not questions:
        return None
    return Watch(
        control=control, questions=tuple(questions), since=min(since), until=until, stage=stage
    )
