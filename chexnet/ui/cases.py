"""The cases of a workspace: what is known of each upload. No widget, no broker, no thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from chexnet import topics
from chexnet.adapters.gateway import Accepted, Refusal, Sent
from chexnet.errors import BadInput
from chexnet.inputs.base import Input
from chexnet.messages import Message, Prediction, decode, new_id, now

State = Literal["sending", "sent", "checked", "predicted", "refused"]
DEAD = (topics.UPLOADS.dlq, topics.IMAGES.dlq)
FOLLOWED = (topics.IMAGES, topics.PREDICTIONS, *DEAD)
KEPT = 1000  # Others leave the workspace; they stay on the bus and in the archive.
SEEN = ("state", "error", "refused_by", "refused_at", "attempt", "canonical", "prediction")
SLACK = 100  # So many more come before some leave: to choose among all for each is slow.


class Case(Struct, kw_only=True):
    """One upload as the workspace sees it. What its file was called only the page knows."""

    case_id: str
    state: State
    added_at: datetime
    own: bool = False  # Uploaded from this workspace.
    archive: str = ""  # The case of the zip that it came in, and its place there.
    index: int = 0
    size: int = 0
    received: int = 0  # Bytes that the kernel has of it.
    upload_id: str = ""
    image_id: str = ""
    unit: str = ""
    duplicate: bool = False  # The gateway had this image before.
    error: str = ""
    refused_by: str = ""  # The topic of the dead letter, and which attempt it was of.
    refused_at: int = 0
    attempt: int = 0  # Of the newest checked image.
    canonical: NDArray[np.uint8] | None = None
    prediction: Prediction | None = None

    @property
    def title(self) -> str:
        """What a page that does not know the file's name calls it."""
        return f"{self.added_at.astimezone():%d %b %H:%M:%S}"

    @property
    def answered(self) -> bool:
        """Whether there is an output to reveal."""
        return self.prediction is not None


class Cases:
    """All cases, newest last. Safe to call from several threads.

    Args:
        source: knows the shape of an image.
        is_read: says of a case whether the reader is done with it; such leave first.
    """

    def __init__(self, source: Input, is_read: Callable[[Case], bool] = lambda _: False) -> None:
        self._source, self._is_read = source, is_read
        self._chosen = ""
        self._cases: dict[str, Case] = {}
        self._by_upload: dict[str, str] = {}
        self._lock = threading.RLock()
        self._left: set[str] = set()  # Uploads that what the bus still has would bring back.
        self.revision = 0  # Grows with every change, so that a view knows when to look again.

    def all(self) -> list[Case]:
        """Return the cases, newest last."""
        with self._lock:
            return list(self._cases.values())

    def get(self, case_id: str) -> Case | None:
        """Return the case, or None."""
        return self._cases.get(case_id)

    def keep(self, case_id: str) -> None:
        """This case is being read: it does not leave, whatever comes."""
        self._chosen = case_id

    def begin(self, case_id: str, size: int) -> Case:
        """A file has begun to come from the browser."""
        return self._add(
            Case(case_id=case_id, state="sending", added_at=now(), size=size, own=True)
        )

    def received(self, case_id: str, count: int) -> None:
        """The kernel has `count` bytes of the file."""
        self._change(case_id, received=count)

    def refuse(self, case_id: str, sentence: str) -> None:
        """The file can't be used; `sentence` says why and what to do."""
        with self._lock:
            case = self._cases.get(case_id)
            if case is not None and not case.answered:
                self._change(case_id, state="refused", error=sentence)

    def accept(self, case_id: str, sent: Sent) -> None:
        """The gateway answered. An archive becomes one case for each of its members."""
        with self._lock:
            members: list[Accepted | Refusal] = [*sent.uploads, *sent.refused]
            single = len(members) == 1
            for member in sorted(members, key=lambda member: member.index):
                its_id = case_id
                if not single:
                    its_id = new_id()
                    made = Case(case_id=its_id, state="sent", added_at=now(), own=True)
                    made.archive, made.index = case_id, member.index
                    self._add(made)
                if isinstance(member, Accepted):
                    self._bind(its_id, member)
                else:
                    self.refuse(its_id, member.reason)
            if not single:
                self._drop(case_id)

    def see(self, message: Message) -> None:
        """Take in a record of one of the topics FOLLOWED."""
        upload_id = message.headers.upload_id
        if not upload_id:
            return
        with self._lock:
            case = self._case_of(message)
            if case is None:
                return
            if message.topic in DEAD:
                self._see_dead(case, message)
            elif message.topic == topics.IMAGES:
                self._see_image(case, message)
            elif message.topic == topics.PREDICTIONS:
                self._see_prediction(case, message)

    def _see_dead(self, case: Case, message: Message) -> None:
        """Refuse the case, unless a later attempt has gone further: topics have no order."""
        attempt = message.headers.attempt
        checked = case.canonical is not None
        if case.answered or (checked and message.topic == topics.UPLOADS.dlq):
            return
        if checked and attempt < case.attempt:
            return
        self.refuse(case.case_id, message.headers.extra.get("reason", "It was refused."))
        self._change(case.case_id, refused_by=message.topic.name, refused_at=attempt)

    def _see_image(self, case: Case, message: Message) -> None:
        pixels = np.frombuffer(message.value, np.uint8)
        if pixels.size != int(np.prod(self._source.shape)):
            return  # Of another input: the step that predicts rejects it.
        attempt = max(case.attempt, message.headers.attempt)
        seen = {"canonical": pixels.reshape(self._source.shape), "attempt": attempt}
        stands = case.refused_by == topics.IMAGES.dlq.name and attempt <= case.refused_at
        if case.answered or (case.state == "refused" and stands):
            self._change(case.case_id, **seen)
        else:
            self._change(case.case_id, **seen, state="checked", error="")

    def _see_prediction(self, case: Case, message: Message) -> None:
        try:
            prediction = decode(message, Prediction)
        except BadInput as error:
            self.refuse(case.case_id, str(error))
            return
        if prediction.kind == "answer":  # A shadow is never shown.
            self._change(case.case_id, prediction=prediction, state="predicted", error="")

    def _case_of(self, message: Message) -> Case | None:
        """Return the case of the message, a new one if it came another way; None if it has left."""
        upload_id, at = message.headers.upload_id, message.headers.created_at
        if (known := self._by_upload.get(upload_id)) in self._cases:
            return self._cases[str(known)]
        if upload_id in self._left:
            return None
        case = self._add(Case(case_id=new_id(), state="sent", added_at=at))
        made = Accepted(upload_id=upload_id, image_id=message.headers.image_id, unit=message.key)
        self._bind(case.case_id, made)
        return case

    def _add(self, case: Case) -> Case:
        with self._lock:
            self._cases[case.case_id] = case
            if len(self._cases) > KEPT + SLACK:
                self._make_room()
            self.revision += 1
            return case

    def _make_room(self) -> None:
        """Drop the oldest: of what is read first, never what is the reader's own or being read."""
        others = [c for c in self._cases.values() if not c.own and c.case_id != self._chosen]
        others.sort(key=lambda case: (not self._done(case), case.added_at))
        for case in others[: max(len(self._cases) - KEPT, 0)]:
            self._drop(case.case_id)
            self._left.add(case.upload_id)

    def _done(self, case: Case) -> bool:
        return case.state == "refused" or self._is_read(case)

    def _drop(self, case_id: str) -> None:
        self._by_upload.pop(self._cases.pop(case_id).upload_id, None)
        self.revision += 1

    def _bind(self, case_id: str, made: Accepted) -> None:
        """Give the case its upload; the bus may have been faster than the gateway's answer."""
        earlier = self._cases.get(self._by_upload.get(made.upload_id, ""))
        seen: dict[str, object] = {}
        if earlier is not None and earlier.case_id != case_id:
            del self._cases[earlier.case_id]
            seen = {name: getattr(earlier, name) for name in SEEN}
        self._by_upload[made.upload_id] = case_id
        identity = {"upload_id": made.upload_id, "image_id": made.image_id, "unit": made.unit}
        self._change(case_id, **{"state": "sent", **identity, **seen}, duplicate=made.duplicate)

    def _change(self, case_id: str, **values: object) -> None:
        with self._lock:
            if (case := self._cases.get(case_id)) is None:
                return
            for name, value in values.items():
                setattr(case, name, value)
            self.revision += 1
