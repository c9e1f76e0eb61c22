"""Predict: a batch of canonical images in, the predictions that control asks for out."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from chexnet import topics
from chexnet.errors import Failed, NotFound, Unavailable
from chexnet.experiments.assignment import assign
from chexnet.messages import Control, Message, Prediction, Rejected, Tensor, sha256
from chexnet.models.base import CAM, FEATURES, PROBABILITIES
from chexnet.steps.ports import Serving

Kind = Literal["answer", "shadow"]
Outputs = dict[str, NDArray[np.float32]]
GROUPS: dict[Kind, str] = {"answer": "router", "shadow": "shadow"}  # A dead letter names them too.


class Predict:
    """One served model's answers, or its shadows.

    Args:
        kind: `answer` asks the version that each unit's assignment names; `shadow` the challengers
            of a shadow experiment.
        serving: called by version number, never by label.
        labels: of the outputs, in order.
        shape: of one canonical image.
        clock: gives the moment of a prediction.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        serving: Serving,
        labels: tuple[str, ...],
        shape: tuple[int, ...],
        clock: Callable[[], datetime],
    ) -> None:
        self._kind, self._serving, self._clock = kind, serving, clock
        self._labels, self._shape = labels, shape
        self._topic = topics.PREDICTIONS if kind == "answer" else topics.SHADOW

    def __call__(
        self, images: Sequence[Message], control: Control
    ) -> list[list[Message | Rejected]]:
        """Return, for each image, its predictions or its reject. All of one revision.

        Raises:
            Unavailable: no version answers yet, or serving does not have it (yet).
            Failed: a version answers, but not with its signature's outputs; the error names it.
        """
        results: list[list[Message | Rejected]] = [[] for _ in images]
        wanted: dict[tuple[str, int], list[int]] = defaultdict(list)
        own = GROUPS[self._kind]
        for i, image in enumerate(images):
            if image.headers.extra.get("step", own) != own:
                continue  # Sent again for another step, which failed on it; this one has answered.
            if (reason := self._fault(image)) is not None:
                if self._kind == "answer":  # Its shadow would reject it a second time.
                    results[i].append(Rejected(message=image, code="image", reason=reason))
                continue
            for arm_and_version in self._asked(control, image.key):
                wanted[arm_and_version].append(i)
        for (arm, version), which in wanted.items():
            try:
                said = self._ask(images, which, arm, version, control)
            except Unavailable:
                raise
            except Exception as error:
                told = f"Version {version}, {type(error).__name__}: {error}"
                facts = {"version": str(version), "revision": str(control.revision)}
                raise Failed(told, **facts) from error
            for i, message in zip(which, said, strict=True):
                results[i].append(message)
        return results

    def _fault(self, image: Message) -> str | None:
        if image.headers.schema not in topics.IMAGES.schemas:
            known = " or ".join(topics.IMAGES.schemas)
            return f"The header schema must be {known}. Received: {image.headers.schema!r}."
        if len(image.value) != (size := prod(self._shape)):
            rule = f"A canonical image has {size:,} bytes, of shape {self._shape}."
            return (
                f"{rule} Received: {len(image.value):,}. Send the file through the gateway again."
            )
        return None

    def _asked(self, control: Control, unit: str) -> list[tuple[str, int]]:
        assignment = assign(control, unit)
        if self._kind == "shadow":
            return list(assignment.shadows.items())
        return [assignment.answer]

    def _ask(
        self,
        images: Sequence[Message],
        which: Sequence[int],
        arm: str,
        version: int,
        control: Control,
    ) -> list[Message]:
        asked = [images[i] for i in which]
        x = np.stack([np.frombuffer(m.value, np.uint8).reshape(self._shape) for m in asked])
        began = time.perf_counter()
        try:
            outputs = self._serving.predict(version, x)
        except NotFound as error:
            raise Unavailable(
                f"Waiting for version {version} of {control.model}: {error}"
            ) from error
        seconds = time.perf_counter() - began
        if not all(np.isfinite(values).all() for values in outputs.values()):
            raise ValueError("its outputs must be numbers. Received: NaN or an infinity.")
        return [
            self._message(m, {k: v[n] for k, v in outputs.items()}, arm, version, control, seconds)
            for n, m in enumerate(asked)
        ]

    def _message(
        self,
        image: Message,
        outputs: Outputs,
        arm: str,
        version: int,
        control: Control,
        seconds: float,
    ) -> Message:
        probabilities = map(float, outputs[PROBABILITIES])
        record = Prediction(
            upload_id=image.headers.upload_id,
            image_id=image.headers.image_id,
            unit=image.key,
            kind=self._kind,
            arm=arm,
            version=version,
            revision=control.revision,
            experiment=control.experiment_name,
            model=control.model,
            tensor_sha256=sha256(image.value),
            probabilities=dict(zip(self._labels, probabilities, strict=True)),
            features=Tensor.of(outputs[FEATURES]) if FEATURES in outputs else None,
            cam=Tensor.of(outputs[CAM]) if CAM in outputs else None,
            seconds=seconds,
            uploaded_at=image.headers.created_at,
            predicted_at=self._clock(),
        )
        return image.to(self._topic, value=record.encode())
