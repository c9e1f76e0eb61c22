"""Notices: what the outside is told of a decision, without anything that could name a patient."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from msgspec import Struct, convert

from chexnet.experiments.chain import Head
from chexnet.experiments.champions import changes
from chexnet.messages import Audit, Control, Record

Event = Literal[
    "promoted",
    "rolled_back",
    "rollback_refused",
    "guardrail_breached",
    "experiment_started",
    "experiment_decided",
]
EVENTS: dict[str, Event] = {
    "promote": "promoted",
    "rollback": "rolled_back",
    "refused": "rollback_refused",
    "breach": "guardrail_breached",
    "start": "experiment_started",
}


class Passed(Struct, frozen=True, kw_only=True):
    """A guardrail that was passed: the part of a breach's evidence that is told."""

    guardrail: str
    version: int
    value: float
    limit: float
    label: str = ""


class Notice(Record, frozen=True, kw_only=True):
    """One event. Reasons and evidence stay in the audit: people write in them what they like."""

    schema: str = "notice/1"
    id: str  # The same when it is sent again.
    event: Event
    model: str
    audit_id: str
    at: datetime
    who: str
    verified: bool
    forced: bool
    revision: int
    champion: int | None
    previous: int | None
    experiment: str | None = None  # That runs, or was decided by this.
    outcome: Literal["promoted", "rolled_back", "stopped"] | None = None  # Of a decided experiment.
    breach: Passed | None = None
    head: Head  # Of the audit's chain, with this decision as its last entry: keep it.


def notices(entry: Audit, before: Control | None, head: Head) -> list[Notice]:
    """Return what is to be told of one entry of the audit: nothing of most.

    Args:
        entry: of the audit.
        before: the control that it was decided on.
        head: of the chain that ends with it.
    """
    control = entry.control or before
    if control is None:
        return []
    told = []
    if event := EVENTS.get(entry.action):
        running = control.experiment
        told.append(_notice(entry, control, head, event, running.name if running else None))
    if before and before.experiment and entry.control and entry.control.experiment is None:
        told.append(_notice(entry, control, head, "experiment_decided", before.experiment.name))
    return told


def before(entries: Iterable[Audit], entry: Audit) -> Control | None:
    """Return the control that `entry` was decided on; None where it was the first."""
    made = (e.control for _, e in changes(entries))
    return next((c for c in made if c and c.revision == entry.before), None)


def _notice(
    entry: Audit, control: Control, head: Head, event: Event, experiment: str | None
) -> Notice:
    outcomes = {"promote": "promoted", "rollback": "rolled_back"}
    decided = event == "experiment_decided"
    return Notice(
        id=f"{entry.audit_id}.{event}",
        event=event,
        model=entry.model,
        audit_id=entry.audit_id,
        at=entry.at,
        who=entry.who,
        verified=entry.verified,
        forced=entry.forced,
        revision=entry.after,
        champion=control.champion,
        previous=control.previous,
        experiment=experiment,
        outcome=outcomes.get(entry.action, "stopped") if decided else None,  # type: ignore[arg-type]
        breach=convert(entry.evidence, Passed) if event == "guardrail_breached" else None,
        head=head,
    )
