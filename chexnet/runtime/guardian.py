"""The guardian: stops or takes back a version that passes a guardrail, and lets a canary grow."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Literal

from msgspec import to_builtins
from prometheus_client import Counter, Gauge

from chexnet.errors import ChexnetError, Refused, Stale
from chexnet.evaluation.drift import Reference
from chexnet.experiments import control as controls
from chexnet.experiments import decisions
from chexnet.experiments.control import Follower
from chexnet.experiments.decisions import By
from chexnet.experiments.questioned import Question, Watch, watch
from chexnet.experiments.seen import FOLLOWED, Seen
from chexnet.messages import Audit, Control, Message, now
from chexnet.runtime.health import Health
from chexnet.runtime.stopping import Backoff
from chexnet.settings import GuardrailSettings
from chexnet.steps.ports import Bus, Reader

NAME = "guardian"
LOOK = 0.5  # Seconds that a look waits for something new.
Key = tuple[object, ...]
BREACHES = Counter("chexnet_guardrail_breaches_total", "Guardrails passed.", ["guardrail"])
WATCHED = Gauge("chexnet_guardrail_images", "Images in the window of a version.", ["version"])


class Guardian:
    """Watches one served model.

    Args:
        bus: of the pipeline.
        control: followed.
        usual: gives a version's reference, from its card; None where it has none.
        unready: gives what keeps a version from answering.
        limits: of the guardrails.
        health: of this process.
        stop: ends the work.
        clock: for the hours after a promotion.
    """

    def __init__(
        self,
        bus: Bus,
        control: Follower,
        *,
        usual: Callable[[int], Reference | None],
        unready: Callable[[int], Sequence[str]],
        limits: GuardrailSettings,
        health: Health,
        stop: threading.Event,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._bus, self._control, self._usual, self._unready = bus, control, usual, unready
        self._limits, self._health, self._stop, self._clock = limits, health, stop, clock
        self._backoff = Backoff(stop)
        self._log = logging.getLogger(NAME)

    def run(self) -> int:
        """Work until `stop` is set; return the exit code."""
        idle = -1  # Under this revision nothing is in question.
        while not self._stop.is_set():
            try:
                control = self._control.current()
                if control.revision != idle and self._follow(control):
                    continue
                idle = control.revision
                self._well()
                self._stop.wait(LOOK)
            except Stale:
                continue  # Somebody else decided in between; what now stands is looked at.
            except ChexnetError as error:
                self._waits(error)
        return 0

    def _watch(self, control: Control, entries: Sequence[Audit]) -> Watch | None:
        fresh = timedelta(hours=self._limits.hours)
        return watch(control, entries, fresh=fresh, now=self._clock())

    def _follow(self, control: Control) -> bool:
        """Look at what comes, until control changes; say whether anything was in question."""
        entries = list(decisions.history(self._bus, control.model))
        if (watched := self._watch(control, entries)) is None:
            return False
        told = _told(watched, entries)
        seen = Seen(watched, self._usual, self._limits)
        with closing(self._bus.read(FOLLOWED, start=watched.since)) as reader:
            for come in _looks(reader):
                if self._stop.is_set() or self._over(watched):
                    break
                stage = self._due(watched, seen)
                more = () if stage is None else reader.to_end()  # It may speak against it.
                try:
                    if self._look(watched, seen, chain(come, more), told):
                        break
                except Refused as refused:  # What was seen stays; so it is tried again.
                    self._waits(refused)
                    continue
                if stage is not None and self._grow(watched, seen, stage):
                    break
                self._well()
        return True

    def _over(self, watched: Watch) -> bool:
        late = watched.until is not None and self._clock() > watched.until
        return late or self._control.current().revision != watched.control.revision

    def _look(
        self, watched: Watch, seen: Seen, messages: Iterable[Message], told: set[Key]
    ) -> bool:
        """Take what has come, tell what is wrong, and say whether a decision was made on it."""
        if seen.take(messages):
            for version, window in seen.windows.items():
                WATCHED.labels(str(version)).set(len(window))
            self._tell(watched, seen, told)
        return self._act(watched, seen, told)

    def _tell(self, watched: Watch, seen: Seen, told: set[Key]) -> None:
        """Put each guardrail that was passed on record, and once that a challenger is well."""
        blamed = {id(b) for question in watched.questions for b in seen.blamed(question)}
        for breach in seen.breaches:
            evidence = {**to_builtins(breach), "blamed": id(breach) in blamed}
            if self._note(watched, "breach", str(breach), evidence, told):
                BREACHES.labels(breach.guardrail).inc()
                self._log.warning("breach", extra={"fields": evidence})
        for question in filter(seen.well, _challengers(watched)):  # The gate asks for it.
            images = len(seen.windows[question.version])
            evidence = {
                "version": question.version,
                "images": images,
                "figures": to_builtins(seen.figures[question.version]),
            }
            reason = f"Version {question.version}: nothing wrong in {images} images."
            self._note(watched, "watched", reason, evidence, told)

    def _note(
        self,
        watched: Watch,
        action: Literal["breach", "refused", "watched"],
        reason: str,
        evidence: dict[str, Any],
        told: set[Key],
    ) -> bool:
        """Put something on record, unless it is; say whether it was new."""
        entry = decisions.entry(watched.control, action, self._by(reason), evidence)
        if (key := _key(entry)) in told:
            return False
        told.add(key)
        controls.note(self._bus, entry)
        return True

    def _act(self, watched: Watch, seen: Seen, told: set[Key]) -> bool:
        """Take the champion back, or stop the experiment, for what a version is to blame for.

        Raises:
            Refused: the champion can't be taken back, and nothing else was decided.
        """
        control, refused = watched.control, None
        for question in watched.questions:
            if not (blamed := seen.blamed(question)):
                continue
            reason = " ".join(map(str, blamed))
            evidence = {"breaches": to_builtins(blamed)}
            if question.version != control.champion:
                decisions.stop(self._bus, control, self._by(reason), evidence)
                return True
            unready = self._unready(question.against)
            try:
                decisions.rollback(self._bus, control, unready, self._by(reason))
            except Refused as error:
                evidence["version"] = question.version
                self._note(watched, "refused", f"{reason} No rollback: {error}", evidence, told)
                refused = error
            else:
                return True
        if refused is not None:
            raise refused
        return False

    def _due(self, watched: Watch, seen: Seen) -> float | None:
        """Return a canary's next exposure, if this one has lasted and shown enough.

        Never that of all units: it would leave the champion no patients to be compared on, and
        an unproven version everyone. That step is a promotion, and the gate's to allow.
        """
        experiment, stage = watched.control.experiment, watched.stage
        if experiment is None or stage is None:
            return None
        exposure = next((s for s in experiment.stages if s > watched.control.exposure), None)
        over = self._clock() - stage.began >= timedelta(hours=experiment.stage_hours)
        if exposure is None or exposure >= 1 or not over:
            return None
        return exposure if all(map(seen.shown, _challengers(watched))) else None

    def _grow(self, watched: Watch, seen: Seen, exposure: float) -> bool:
        """Take a canary to its next stage, unless anything speaks against a challenger."""
        if any(map(seen.doubted, _challengers(watched))):
            return False
        experiment = decisions.running(watched.control)
        lasted = f"{experiment.stage_hours:g} h at {watched.control.exposure:.0%}"
        by = self._by(f"{lasted}: no guardrail passed")
        decisions.expose(self._bus, watched.control, exposure, by)
        return True

    def _well(self) -> None:
        self._health.set("ok")
        self._backoff.reset()

    def _waits(self, error: ChexnetError) -> None:
        if str(error) != self._health.reason:
            self._log.warning("waiting", extra={"fields": {"reason": str(error)}})
        self._health.set("waiting", str(error))
        self._backoff.wait()

    def _by(self, reason: str) -> By:
        return By(who=NAME, at=self._clock(), reason=reason)


def _looks(reader: Reader) -> Iterator[Iterable[Message]]:
    """Yield what has come: first all of the backlog, half of which may blame whom all of it spares.

    So it is taken at once, before anything is decided; then what comes.
    """
    yield reader.to_end()
    while True:
        yield reader.poll(timeout=LOOK)


def _challengers(watched: Watch) -> list[Question]:
    return [q for q in watched.questions if q.version != watched.control.champion]


def _told(watched: Watch, entries: Sequence[Audit]) -> set[Key]:
    """Return what is on record: under this revision, and who was well since the start."""
    start = max(q.revision for q in watched.questions)
    notes = [e for e in entries if e.control is None and e.before >= start]
    newest = watched.control.revision
    return {_key(e) for e in notes if e.before == newest or e.action == "watched"}


def _key(entry: Audit) -> Key:
    """Return what makes an entry the same as another under one revision."""
    version, guardrail, label = (entry.evidence.get(k) for k in ("version", "guardrail", "label"))
    return entry.action, version, guardrail, label
