"""A pipeline of one process: what the gateway, preprocess and the router would write."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from chexnet_waveform.input import Waveform

from chexnet import topics
from chexnet.adapters.gateway import Accepted, Refusal, Sent
from chexnet.adapters.memory import MemoryBus
from chexnet.errors import BadInput
from chexnet.inputs.base import Limits
from chexnet.messages import Headers, Message, Prediction, Rejected, Tensor, new_id
from chexnet.ui.wiring import Wiring

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
THRESHOLDS = {"Fast": 0.5, "Irregular": 0.4, "Dropout": 0.3}
ANSWER = {"Fast": 0.1, "Irregular": 0.7, "Dropout": 0.2}


class Pipeline:
    """Takes uploads as the gateway does; the test decides when they go on."""

    def __init__(self) -> None:
        self.bus, self.source = MemoryBus(), Waveform()

    def send(self, data: bytes) -> Sent:
        try:
            cleaned = self.source.clean(data, Limits())
        except BadInput as error:
            return Sent(refused=[Refusal(code=error.code, reason=str(error))])
        unit = cleaned.patient or cleaned.image_id
        headers = Headers(
            schema="upload/1", upload_id=new_id(), image_id=cleaned.image_id, created_at=AT
        )
        upload = Message(topic=topics.UPLOADS, key=unit, value=cleaned.data, headers=headers)
        self.bus.send([upload])
        made = Accepted(upload_id=headers.upload_id, image_id=cleaned.image_id, unit=unit)
        return Sent(uploads=[made])

    def uploads(self) -> list[Message]:
        return list(self.bus.read([topics.UPLOADS]).to_end())

    def check(self, upload: Message) -> None:
        canonical = self.source.decode(upload.value, Limits())
        self.bus.send([upload.to(topics.IMAGES, value=canonical.tobytes())])

    def reject(self, upload: Message, reason: str) -> None:
        self.bus.send([Rejected(message=upload, code="bad", reason=reason).dead_letter()])

    def predict(self, upload: Message, version: int = 3, *, cam: bool = False) -> None:
        made = Prediction(
            upload_id=upload.headers.upload_id,
            image_id=upload.headers.image_id,
            unit=upload.key,
            kind="answer",
            arm="champion",
            version=version,
            revision=1,
            experiment=None,
            model="waveform",
            tensor_sha256="0" * 64,
            probabilities=ANSWER,
            cam=Tensor.of(np.eye(3, 8).reshape(3, 1, 8)) if cam else None,
            seconds=0.01,
            uploaded_at=AT,
            predicted_at=AT,
        )
        self.bus.send([upload.to(topics.PREDICTIONS, value=made.encode())])

    def wiring(self, largest: int = 2**20) -> Wiring:
        return Wiring(
            model="waveform",
            source=self.source,
            bus=self.bus,
            gateway=self,
            thresholds=lambda version: THRESHOLDS,
            largest=largest,
        )
