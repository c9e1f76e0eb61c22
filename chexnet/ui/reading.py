"""Blinded first: a reader's findings are recorded before any output is shown, then it is revealed.

What was shown, and when, travels in each record, so that nobody has to trust this file to know
which readings an output could have influenced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal

from chexnet import topics
from chexnet.errors import BadInput, Refused
from chexnet.messages import Feedback, Headers, Message, Presence, decode, new_id, now
from chexnet.steps.ports import Bus
from chexnet.ui.cases import Case

Phase = Literal["blinded", "waiting", "revealed"]


class Readings:
    """One reader's findings, and which images that reader has seen an output of.

    Args:
        bus: where readings are recorded, and where earlier ones are found.
        reader: the name in the records.
        labels: the findings that may be recorded.
        clock: the time, in UTC.
    """

    def __init__(
        self,
        bus: Bus,
        reader: str,
        labels: tuple[str, ...],
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._bus, self.reader, self._labels, self._clock = bus, reader, labels, clock
        self._blinded: dict[str, Feedback] = {}  # By image: another upload of it is no new case.
        self._assisted: dict[str, Feedback] = {}
        self._shown: dict[str, tuple[int | None, datetime]] = {}  # By image: version and when.

    def recall(self) -> None:
        """Read what this reader recorded before, in other sessions too."""
        history = self._bus.read([topics.FEEDBACK])
        try:
            for message in history.to_end():
                self._recall(message)
        finally:
            history.close()

    def _recall(self, message: Message) -> None:
        try:
            feedback = decode(message, Feedback)
        except BadInput:  # Somebody else's malformed record is not this reader's reading.
            return
        if feedback.reader != self.reader or feedback.protocol == "reference":
            return
        self._keep(feedback)
        at = feedback.shown_at or feedback.recorded_at
        self._shown[feedback.image_id] = (feedback.shown, at)

    def phase(self, case: Case) -> Phase:
        """Return whether the reader still reads, waits for the output, or sees it."""
        if case.image_id not in self._blinded and case.image_id not in self._shown:
            return "blinded"
        return "revealed" if case.answered else "waiting"

    def of(self, case: Case) -> tuple[Feedback | None, Feedback | None]:
        """Return the blinded and the newest assisted reading of the case's image."""
        return self._blinded.get(case.image_id), self._assisted.get(case.image_id)

    def show(self, case: Case) -> None:
        """The output is about to be shown; call it before it is."""
        if self.phase(case) != "revealed":
            rule = "An output is shown after the reader's own findings are recorded."
            raise Refused(f"{rule} Received: no reading yet. Record one, or skip it.")
        self._mark(case)

    def record(self, case: Case, findings: Mapping[str, Presence]) -> Feedback:
        """Record findings: blinded until an output of this image was shown, assisted after.

        Raises:
            Refused: nothing was assessed, or the image is not checked yet.
            BadInput: a finding is not one of the labels.
        """
        assessed: dict[str, Presence] = {
            name: said for name, said in findings.items() if said != "not_assessed"
        }
        if unknown := [name for name in assessed if name not in self._labels]:
            rule = f"A finding must be one of {', '.join(self._labels)}."
            raise BadInput("label", f"{rule} Received: {unknown[0]!r}. Use a name of the list.")
        if not assessed:
            rule = "A reading must assess at least one finding."
            raise Refused(f"{rule} Received: none. Mark findings as present, absent or unsure.")
        return self._send(case, assessed, self._shown.get(case.image_id, (None, None)))

    def skip(self, case: Case) -> Feedback:
        """Show the output without a reading. It is recorded: later readings are assisted."""
        if case.prediction is None:
            rule = "Only an output that is there can be shown."
            raise Refused(f"{rule} Received: no prediction yet. Wait for it, or read first.")
        _, first = self._shown.get(case.image_id, (None, self._clock()))
        skipped = self._send(case, {}, (case.prediction.version, first))
        self._mark(case)  # Only now: where the record failed, the reading is still blinded.
        return skipped

    def _send(
        self,
        case: Case,
        findings: dict[str, Presence],
        shown: tuple[int | None, datetime | None],
    ) -> Feedback:
        if not case.image_id:
            rule = "A reading needs an image that was accepted."
            raise Refused(f"{rule} Received: one that is {case.state}. Wait until it is checked.")
        version, shown_at = shown
        earlier = (self._blinded if shown_at is None else self._assisted).get(case.image_id)
        feedback = Feedback(
            feedback_id=new_id(),
            image_id=case.image_id,
            upload_id=case.upload_id,
            unit=case.unit,
            reader=self.reader,
            findings=findings,
            protocol="blinded" if shown_at is None else "assisted",
            shown=version,
            shown_at=shown_at,
            supersedes=earlier.feedback_id if earlier else None,
            recorded_at=self._clock(),
        )
        headers = Headers(
            schema=topics.FEEDBACK.schemas[-1],
            upload_id=case.upload_id,
            image_id=case.image_id,
            created_at=feedback.recorded_at,
        )
        self._bus.send(
            [
                Message(
                    topic=topics.FEEDBACK, key=case.unit, value=feedback.encode(), headers=headers
                )
            ]
        )
        self._keep(feedback)
        return feedback

    def _mark(self, case: Case) -> None:
        """Note that this reader has seen an output of the image, first or again."""
        _, first = self._shown.get(case.image_id, (None, self._clock()))
        self._shown[case.image_id] = (case.prediction.version if case.prediction else None, first)

    def _keep(self, feedback: Feedback) -> None:
        kept = self._blinded if feedback.protocol == "blinded" else self._assisted
        kept[feedback.image_id] = feedback
