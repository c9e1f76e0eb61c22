"""Blinded first: a reader's findings are recorded before any output is shown, then it is revealed.

What was shown, and when, travels in each record, so that nobody has to trust this file to know
which readings an output could have influenced.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal

from chexnet import topics
from chexnet.errors import BadInput, ChexnetError, Refused
from chexnet.messages import Feedback, Headers, Message, decode, new_id, now
from chexnet.steps.ports import Bus, Reader
from chexnet.ui.cases import Case
from chexnet.ui.said import Said, said

Phase = Literal["blinded", "waiting", "revealed"]
Kind = Literal["blinded", "assisted"]


class Readings:
    """One reader's findings, and which images that reader has seen an output of.

    Safe to call from several threads. What waits for the bus (recall, record, skip) goes one at a
    time and holds up nothing else.

    Args:
        bus: where readings are recorded, and where those of other sessions are found.
        reader: the name in the records.
        labels: the findings that may be recorded.
        propensity: with which the worklist included a case; None for a case that is not on it.
        clock: the time, in UTC.
    """

    def __init__(
        self,
        bus: Bus,
        reader: str,
        labels: tuple[str, ...],
        clock: Callable[[], datetime] = now,
        propensity: Callable[[Case], float | None] = lambda _: None,
    ) -> None:
        self._bus, self.reader, self._labels, self._clock = bus, reader, labels, clock
        self._propensity = propensity
        self._history: Reader | None = None  # Of all feedback; it stands where we last read to.
        self._blinded: dict[str, Feedback] = {}  # By image: another upload of it is no new case.
        self._assisted: dict[str, Feedback] = {}
        self._shown: dict[str, tuple[int | None, datetime]] = {}  # By image: version and when.
        self._own: set[str] = set()  # Ids of what this session recorded: it comes back by the bus.
        self._lock = threading.RLock()
        self._sending = threading.Lock()
        self.revision = 0  # Grows with every change, so that a view knows when to look again.

    def recall(self) -> None:
        """Read to the end what this reader recorded, in other sessions too."""
        with self._sending:
            self._catch_up()

    def see(self, message: Message) -> None:
        """Take in a record of the feedback topic; again, where it was taken in before."""
        try:
            feedback = decode(message, Feedback)
        except BadInput:  # Somebody else's malformed record is not this reader's reading.
            return
        if feedback.reader != self.reader or feedback.protocol == "reference":
            return
        with self._lock:
            if feedback.feedback_id in self._own:
                return
            at = feedback.shown_at or feedback.recorded_at
            version, first = self._shown.get(feedback.image_id, (None, at))
            self._shown[feedback.image_id] = (feedback.shown or version, min(first, at))
            self._keep(feedback)

    def close(self) -> None:
        """Release the connection."""
        with self._sending:
            self._leave()

    def _catch_up(self) -> None:
        """Read on to the end; what another session recorded a moment ago counts."""
        try:
            self._history = self._history or self._bus.read([topics.FEEDBACK])
            for message in self._history.to_end():
                self.see(message)
        except ChexnetError:
            self._leave()
            raise

    def _leave(self) -> None:
        if self._history is not None:
            self._history.close()
            self._history = None

    def phase(self, case: Case) -> Phase:
        """Return whether the reader still reads, waits for the output, or sees it."""
        with self._lock:
            if case.image_id not in self._blinded and case.image_id not in self._shown:
                return "blinded"
        return "revealed" if case.answered else "waiting"

    def of(self, case: Case) -> tuple[Feedback | None, Feedback | None]:
        """Return the blinded and the newest assisted reading of the case's image."""
        with self._lock:
            return self._blinded.get(case.image_id), self._assisted.get(case.image_id)

    def show(self, case: Case) -> None:
        """The output is about to be shown; call it before it is."""
        if self.phase(case) != "revealed":
            rule = "An output is shown after the reader's own findings are recorded."
            raise Refused(f"{rule} Received: no reading yet. Record one, or skip it.")
        self._mark(case)

    def record(
        self, case: Case, told: Mapping[str, object], *, expects: Kind | None = None
    ) -> Feedback:
        """Record a reading: blinded until an output of this image was shown, assisted after.

        Args:
            case: whose image was read.
            told: `findings`, `boxes` and `note`, as chexnet/ui/said.py has them.
            expects: what the reader takes it for. Another session may have shown the output.

        Raises:
            Refused: nothing was assessed, the image is not checked yet, or it is not as expected.
            BadInput: it is nothing that a reader can say.
            Unavailable: the bus does not answer; nothing was recorded.
        """
        made = said(told, self._labels)
        if not made.assessed:
            rule = "A reading must assess at least one finding."
            raise Refused(f"{rule} Received: none. Mark findings as present, absent or unsure.")
        with self._sending:
            self._catch_up()
            with self._lock:
                shown = self._shown.get(case.image_id, (None, None))
                fits = expects in (None, self._next(case))
            if not fits:
                raise Refused(_otherwise(expects == "blinded"))
            return self._send(case, made, shown)

    def skip(self, case: Case) -> Feedback:
        """Show the output without a reading. It is recorded: later readings are assisted."""
        if case.prediction is None:
            rule = "Only an output that is there can be shown."
            raise Refused(f"{rule} Received: no prediction yet. Wait for it, or read first.")
        with self._sending:
            self._catch_up()
            with self._lock:
                _, first = self._shown.get(case.image_id, (None, self._clock()))
            skipped = self._send(case, Said(), (case.prediction.version, first))
            self._mark(case)  # Only now: where the record failed, the reading is still blinded.
            return skipped

    def _send(
        self,
        case: Case,
        made: Said,
        shown: tuple[int | None, datetime | None],
    ) -> Feedback:
        if not case.image_id:
            rule = "A reading needs an image that was accepted."
            raise Refused(f"{rule} Received: one that is {case.state}. Wait until it is checked.")
        version, shown_at = shown
        with self._lock:
            kept = self._blinded if shown_at is None else self._assisted
            earlier = kept.get(case.image_id)
        feedback = Feedback(
            feedback_id=new_id(),
            image_id=case.image_id,
            upload_id=case.upload_id,
            unit=case.unit,
            reader=self.reader,
            findings=made.assessed,
            boxes=made.boxes,
            note=made.note,
            protocol=_kind(shown),
            shown=version,
            shown_at=shown_at,
            propensity=self._propensity(case),
            supersedes=earlier.feedback_id if earlier else None,
            recorded_at=self._clock(),
        )
        headers = Headers(
            schema=topics.FEEDBACK.schemas[-1],
            upload_id=case.upload_id,
            image_id=case.image_id,
            created_at=feedback.recorded_at,
        )
        message = Message(
            topic=topics.FEEDBACK, key=case.unit, value=feedback.encode(), headers=headers
        )
        with self._lock:
            self._own.add(feedback.feedback_id)  # It may come back before `send` returns.
        self._bus.send([message])
        with self._lock:
            self._keep(feedback)
        return feedback

    def _next(self, case: Case) -> Kind | None:
        """Return what a page may record now; None while the output is waited for."""
        if self.phase(case) == "blinded":
            return "blinded"
        return "assisted" if case.image_id in self._shown else None

    def _mark(self, case: Case) -> None:
        """Note that this reader has seen an output of the image, first or again."""
        version = case.prediction.version if case.prediction else None
        with self._lock:
            _, first = self._shown.get(case.image_id, (None, self._clock()))
            self._shown[case.image_id] = (version, first)

    def _keep(self, feedback: Feedback) -> None:
        kept = self._blinded if feedback.protocol == "blinded" else self._assisted
        known = kept.get(feedback.image_id)
        if known is None or known.recorded_at <= feedback.recorded_at:
            kept[feedback.image_id] = feedback
            self.revision += 1


def _kind(shown: tuple[int | None, datetime | None]) -> Kind:
    return "blinded" if shown[1] is None else "assisted"


def _otherwise(blinded: bool) -> str:
    if blinded:
        rule = "A blinded reading is recorded once, before its output is shown."
        return (
            f"{rule} Received: one after that; another window may have shown it. Record it as "
            "assisted."
        )
    rule = "An assisted reading is recorded after an output was shown."
    return f"{rule} Received: one before. Record your own findings first."
