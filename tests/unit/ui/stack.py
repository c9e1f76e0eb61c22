"""A pipeline of one process: what the gateway, preprocess and the router would write."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import IO, Any

import numpy as np
from chexnet_waveform.input import Waveform
from numpy.typing import NDArray

from chexnet import topics
from chexnet.adapters.gateway import Accepted, Film, Refusal, Sent
from chexnet.adapters.memory import MemoryBus, MemoryStore
from chexnet.errors import BadInput, NotFound
from chexnet.inputs.base import Input, Limits
from chexnet.messages import Headers, Message, Prediction, Rejected, Tensor, new_id
from chexnet.models.card import Card, digest
from chexnet.ui.wiring import Wiring
from services.gateway import archives

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
THRESHOLDS = {"Fast": 0.5, "Irregular": 0.4, "Dropout": 0.3}
ANSWER = {"Fast": 0.1, "Irregular": 0.7, "Dropout": 0.2}


def a_card(**said: Any) -> Card:
    """Return the card of a version of the second pipeline."""
    usual: dict[str, Any] = {
        "line": "a",
        "network": "waveform_cnn",
        "input": "waveform",
        "labels": tuple(THRESHOLDS),
        "shape": Waveform.shape,
        "thresholds": THRESHOLDS,
        "feature_mean": (),
        "feature_std": (),
        "metrics": {},
        "dataset": "dataset@0",
        "training_units": (),
        "training_digest": digest(()),
        "code": "test",
        "seed": 0,
        "params": {},
        "created_at": AT,
    }
    return Card(**(usual | said))


def until(condition: Callable[[], Any]) -> Any:
    """Return the condition's first true value, or fail after 10 s."""
    waiting = threading.Event()
    for _ in range(1000):
        if found := condition():
            return found
        waiting.wait(0.01)
    raise AssertionError("The condition never came true.")


class Pipeline:
    """Takes uploads as the gateway does; the test decides when they go on."""

    def __init__(self, source: Input | None = None) -> None:
        self.bus, self.store, self.source = MemoryBus(), MemoryStore(), source or Waveform()
        self.card = a_card()
        self._images: set[str] = set()

    def send(self, data: bytes | IO[bytes], *, patient: str | None = None) -> Sent:
        body = io.BytesIO(data) if isinstance(data, bytes) else data
        start = body.read(4)
        body.seek(0)
        if start not in archives.MAGICS:
            return self._one(0, body.read(), patient)
        parts = [
            self._one(index, file, patient) if isinstance(file, bytes) else Sent()
            for index, file in enumerate(archives.members(body, Limits()))
        ]
        return Sent(
            uploads=[u for part in parts for u in part.uploads],
            refused=[r for part in parts for r in part.refused],
        )

    def _one(self, index: int, data: bytes, patient: str | None) -> Sent:
        try:
            cleaned = self.source.clean(data, Limits())
        except BadInput as error:
            return Sent(refused=[Refusal(index=index, code=error.code, reason=str(error))])
        unit = patient or cleaned.patient or cleaned.image_id
        headers = Headers(
            schema="upload/1", upload_id=new_id(), image_id=cleaned.image_id, created_at=AT
        )
        upload = Message(topic=topics.UPLOADS, key=unit, value=cleaned.data, headers=headers)
        known = cleaned.image_id in self._images
        self._images.add(cleaned.image_id)
        self.bus.send([upload])
        ids = {"upload_id": headers.upload_id, "image_id": cleaned.image_id, "unit": unit}
        return Sent(uploads=[Accepted(**ids, index=index, duplicate=known)])

    def uploads(self) -> list[Message]:
        return list(self.bus.read([topics.UPLOADS]).to_end())

    def picture(self, image_id: str) -> bytes:
        for upload in self.uploads():
            if upload.headers.image_id == image_id:
                return self.source.view(upload.value, Limits())
        raise NotFound(f"No image {image_id}.")

    def films(self, unit: str) -> list[Film]:
        its = (m.headers for m in self.uploads() if m.key == unit)
        films = [Film(upload_id=h.upload_id, image_id=h.image_id) for h in its]
        return sorted(films, key=lambda film: film.upload_id, reverse=True)

    def check(self, upload: Message) -> None:
        canonical = self.source.decode(upload.value, Limits())
        self.bus.send([upload.to(topics.IMAGES, value=canonical.tobytes())])

    def reject(self, upload: Message, reason: str) -> None:
        self.bus.send([Rejected(message=upload, code="bad", reason=reason).dead_letter()])

    def predict(
        self,
        upload: Message,
        version: int = 3,
        *,
        cam: bool = False,
        maps: NDArray[np.floating] | None = None,
        features: list[float] | None = None,
    ) -> None:
        if cam:
            maps = np.eye(3, 8).reshape(3, 1, 8)
        said = dict.fromkeys(self.source.labels, 0.1) | {
            name: value for name, value in ANSWER.items() if name in self.source.labels
        }
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
            probabilities=said,
            features=None if features is None else Tensor.of(np.array(features)),
            cam=None if maps is None else Tensor.of(maps),
            seconds=0.01,
            uploaded_at=AT,
            predicted_at=AT,
        )
        self.bus.send([upload.to(topics.PREDICTIONS, value=made.encode())])

    def wiring(self, limits: Limits | None = None) -> Wiring:
        return Wiring(
            model="waveform",
            source=self.source,
            bus=self.bus,
            store=self.store,
            gateway=self,
            card=lambda version: self.card,
            limits=limits or Limits(),
        )
