"""The cases of a workspace: what is known of each upload. No widget, no broker, no thread."""

from __future__ import annotations

import threading
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
FOLLOWED = (
    topics.IMAGES,
    topics.PREDICTIONS,
    topics.UPLOADS.dlq,
    topics.IMAGES.dlq,
)
KEPT = 1000  # Older cases leave the workspace; they stay on the bus and in the archive.


class Case(Struct, kw_only=True):
    """One upload as the workspace sees it."""

    case_id: str
    name: str  # For the person's eyes; it goes into no message.
    state: State
    added_at: datetime
    size: int = 0
    received: int = 0  # Bytes that the kernel has of it.
    upload_id: str = ""
    image_id: str = ""
    unit: str = ""
    duplicate: bool = False  # The gateway had this image before.
    error: str = ""
    canonical: NDArray[np.uint8] | None = None
    prediction: Prediction | None = None

    @property
    def answered(self) -> bool:
        """Whether there is an output to reveal."""
        return self.prediction is not None


class Cases:
    """All cases, newest last. Safe to call from several threads."""

    def __init__(self, source: Input) -> None:
        self._source = source
        self._cases: dict[str, Case] = {}
        self._by_upload: dict[str, str] = {}
        self._lock = threading.RLock()
        self.revision = 0  # Grows with every change, so that a view knows when to look again.

    def all(self) -> list[Case]:
        """Return the cases, newest last."""
        with self._lock:
            return list(self._cases.values())

    def get(self, case_id: str) -> Case | None:
        """Return the case, or None."""
        return self._cases.get(case_id)

    def begin(self, case_id: str, name: str, size: int) -> Case:
        """A file has begun to come from the browser."""
        return self._add(
            Case(case_id=case_id, name=name, state="sending", added_at=now(), size=size)
        )

    def received(self, case_id: str, count: int) -> None:
        """The kernel has `count` bytes of the file."""
        self._change(case_id, received=count)

    def refuse(self, case_id: str, sentence: str) -> None:
        """The file can't be used; `sentence` says why and what to do."""
        self._change(case_id, state="refused", error=sentence)

    def accept(self, case_id: str, sent: Sent) -> None:
        """The gateway answered. An archive becomes one case for each of its members."""
        with self._lock:
            members: list[Accepted | Refusal] = [*sent.uploads, *sent.refused]
            name, single = self._cases[case_id].name, len(members) == 1
            for member in sorted(members, key=lambda member: member.index):
                its_id = case_id
                if not single:
                    title = f"{name} · {member.index + 1}"
                    its_id = new_id()
                    self._add(Case(case_id=its_id, name=title, state="sent", added_at=now()))
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
            if message.topic in (topics.UPLOADS.dlq, topics.IMAGES.dlq):
                self.refuse(case.case_id, message.headers.extra.get("reason", "It was refused."))
            elif message.topic == topics.IMAGES:
                self._see_image(case, message)
            elif message.topic == topics.PREDICTIONS:
                self._see_prediction(case, message)

    def _see_image(self, case: Case, message: Message) -> None:
        pixels = np.frombuffer(message.value, np.uint8)
        if pixels.size != int(np.prod(self._source.shape)):
            return  # Of another input: the step that predicts rejects it.
        state: State = "predicted" if case.answered else "checked"
        self._change(case.case_id, canonical=pixels.reshape(self._source.shape), state=state)

    def _see_prediction(self, case: Case, message: Message) -> None:
        try:
            prediction = decode(message, Prediction)
        except BadInput as error:
            self.refuse(case.case_id, str(error))
            return
        if prediction.kind == "answer":  # A shadow is never shown.
            self._change(case.case_id, prediction=prediction, state="predicted")

    def _case_of(self, message: Message) -> Case:
        """Return the case of the message; one that came another way gets its time as name."""
        upload_id, at = message.headers.upload_id, message.headers.created_at
        if (known := self._by_upload.get(upload_id)) in self._cases:
            return self._cases[str(known)]
        case = self._add(
            Case(
                case_id=new_id(),
                name=f"{at.astimezone():%d %b %H:%M:%S}",
                state="sent",
                added_at=at,
            )
        )
        made = Accepted(upload_id=upload_id, image_id=message.headers.image_id, unit=message.key)
        self._bind(case.case_id, made)
        return case

    def _add(self, case: Case) -> Case:
        with self._lock:
            self._cases[case.case_id] = case
            while len(self._cases) > KEPT:
                self._drop(next(iter(self._cases)))
            self.revision += 1
            return case

    def _drop(self, case_id: str) -> None:
        self._by_upload.pop(self._cases.pop(case_id).upload_id, None)
        self.revision += 1

    def _bind(self, case_id: str, made: Accepted) -> None:
        """Give the case its upload; the bus may have been faster than the gateway's answer."""
        earlier = self._cases.get(self._by_upload.get(made.upload_id, ""))
        seen: dict[str, object] = {}
        if earlier is not None and earlier.case_id != case_id:
            del self._cases[earlier.case_id]
            kept = ("state", "error", "canonical", "prediction")
            seen = {name: getattr(earlier, name) for name in kept}
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
