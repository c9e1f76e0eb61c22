"""A pipeline in one process whose clock is ours: real models, steps, guardian, gate and audit.

What is simulated are the hours, the patients (phantoms) and those who read them.
"""

from __future__ import annotations

import io
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from chexnet import release, topics
from chexnet.adapters.memory import MemoryBus, MemoryReader, MemoryStore
from chexnet.evaluation.drift import Reference
from chexnet.experiments import chain, control, decisions, guardrails
from chexnet.experiments.control import Follower
from chexnet.experiments.decisions import By
from chexnet.experiments.readiness import missing
from chexnet.experiments.review import Review, review
from chexnet.inputs.base import load
from chexnet.messages import Control, Feedback, Headers, Message, new_id
from chexnet.models import card as cards
from chexnet.models.base import FEATURES, INPUT, PROBABILITIES
from chexnet.runtime import deciding
from chexnet.runtime.guardian import Guardian
from chexnet.runtime.health import Health
from chexnet.settings import GuardrailSettings
from chexnet.steps.ports import Start
from chexnet.steps.predict import Predict
from chexnet.topics import Topic

MODEL = "xray"
Array = NDArray[Any]


class Turn(threading.Event):
    """Ends the guardian's turn when it would wait: nothing more comes until the clock moves.

    It looks twice in vain: what it has seen is thought over when it looks for more.
    """

    looks = 0

    def vain(self) -> None:
        """Count a look that found nothing."""
        self.looks += 1
        if self.looks > 1:
            self.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Do not wait."""
        del timeout
        self.set()
        return True


class Bus(MemoryBus):
    """A bus on which a reader that finds nothing, twice, ends the guardian's turn."""

    turn: Turn | None = None

    def read(self, topics: Iterable[Topic], *, start: Start = "beginning") -> MemoryReader:
        """Read from `start` on."""
        return _Reader(self, tuple(topics), start)


class _Reader(MemoryReader):
    def poll(self, *, timeout: float) -> list[Message]:
        """Return what has come, at once."""
        del timeout
        found: list[Message] = super().poll(timeout=0)
        if not found and isinstance(self._bus, Bus) and self._bus.turn is not None:
            self._bus.turn.vain()
        return found


class Models:
    """Serves SavedModels; a version may see its images changed before, as by a wrong client."""

    def __init__(self) -> None:
        self._models: dict[int, Callable[[Array], dict[str, Array]]] = {}

    def add(self, version: int, answer: Callable[[Array], dict[str, Array]]) -> None:
        """Load a version."""
        self._models[version] = answer

    def predict(self, version: int, x: Array) -> dict[str, Array]:
        """Return what a version says."""
        return self._models[version](x)

    def states(self) -> dict[str, dict[int, str]]:
        """Return what is loaded."""
        return {"one": dict.fromkeys(self._models, "AVAILABLE")}

    def label(self, labels: Mapping[str, int], keep: Iterable[int]) -> None:
        """Do nothing: all stay loaded."""


def saved(folder: Path) -> Callable[[Array], dict[str, Array]]:
    """Return what a release answers, by batches."""
    signature = tf.saved_model.load(str(folder)).signatures["serving_default"]

    def answer(x: Array) -> dict[str, Array]:
        said = signature(**{INPUT: tf.constant(x)})
        return {name: said[name].numpy() for name in (PROBABILITIES, FEATURES)}

    answer.keeps = signature  # type: ignore[attr-defined]  # The signature does not own its model.
    return answer


class Site:
    """The pipeline. `now` is moved by the story alone."""

    def __init__(self, folder: Path, start: datetime, limits: GuardrailSettings) -> None:
        self.now, self.limits, self._folder = start, limits, folder
        self.bus, self.store, self.models = Bus(lambda: self.now), MemoryStore(), Models()
        self.source = load("chest_xray")
        self._steps = [
            Predict(
                kind,
                serving=self.models,
                labels=self.source.labels,
                shape=self.source.shape,
                clock=lambda: self.now,
            )
            for kind in ("answer", "shadow")
        ]
        logging.getLogger("guardian").setLevel(logging.ERROR)

    @property
    def control(self) -> Control:
        """Control as it is."""
        return control.read(self.bus, MODEL)

    def by(self, who: str, reason: str = "", *, force: bool = False) -> By:
        """Return who decides, at this hour."""
        return By(who=who, at=self.now, reason=reason, force=force)

    def release(self, line: str, trained: Path, answer: Callable[[Array], dict[str, Array]]) -> int:
        """Release what a training left, under a line; return the version."""
        golden = self._golden(trained, answer)
        files = {
            f"/release/{path.relative_to(trained)}": path.read_bytes()
            for path in trained.rglob("*")
            if path.is_file()
        }
        self.store.ensure(f"models-{line}")
        self.store.write(f"models-{line}", {**files, f"/release/{cards.GOLDEN}": golden})
        record = release.publish(
            self.store, self._folder, model=MODEL, line=line, commit=None, who="ada", at=self.now
        )
        self.models.add(record.version, answer)
        decisions.keep(self.bus, MODEL, record.version, self.by("ada"), {"line": line})
        return record.version

    def _golden(self, trained: Path, answer: Callable[[Array], dict[str, Array]]) -> bytes:
        with np.load(trained / cards.GOLDEN) as arrays:
            x = arrays[INPUT]
        file = io.BytesIO()
        np.savez(file, **{INPUT: x, **answer(x)})
        return file.getvalue()

    def unready(self, version: int) -> list[str]:
        """Return what keeps a version from a role."""
        return deciding.unready(self.store, {"one": self.models}, version)

    def arrive(self, images: Sequence[tuple[str, str, Array]]) -> None:
        """Let images of (unit, id, pixels) be answered, and shadowed, as control says now."""
        messages = [
            Message(
                topic=topics.IMAGES,
                key=unit,
                value=pixels.tobytes(),
                headers=Headers(
                    schema=topics.IMAGES.schemas[-1],
                    upload_id=new_id(),
                    image_id=image,
                    created_at=self.now,
                ),
            )
            for unit, image, pixels in images
        ]
        for step in self._steps:
            for made in step(messages, self.control):
                self.bus.send([m for m in made if isinstance(m, Message)])

    def read(self, unit: str, image: str, findings: Mapping[str, Any], reader: str) -> None:
        """Record a blinded reading."""
        said = Feedback(
            feedback_id=new_id(),
            image_id=image,
            unit=unit,
            reader=reader,
            findings=dict(findings),
            protocol="blinded",
            recorded_at=self.now,
        )
        headers = Headers(schema=topics.FEEDBACK.schemas[-1], image_id=image, created_at=self.now)
        message = Message(topic=topics.FEEDBACK, key=unit, value=said.encode(), headers=headers)
        self.bus.send([message])

    def guard(self) -> None:
        """Give the guardian a turn: it looks at all that came, and acts."""
        turn = self.bus.turn = Turn()
        Guardian(
            self.bus,
            Follower(self.bus, MODEL),
            usual=self._usual,
            unready=lambda version: missing(version, {"one": self.models}, None),
            limits=self.limits,
            health=Health("guardian"),
            stop=turn,
            clock=lambda: self.now,
        ).run()
        self.bus.turn = None

    def _usual(self, version: int) -> Reference | None:
        return guardrails.usual(release.card(self.store, release.read(self.store, version)))

    def review(self) -> Review:
        """Return what the running experiment shows by now."""
        return review(self.bus, self.store, self.control, until=self.now)

    def archive_audit(self) -> None:
        """Write the audit's chain, as its archiver does."""
        self.store.ensure(chain.REPO)
        filing = chain.Chain(self.store)
        reader = self.bus.read([topics.AUDIT], start=self.store.offsets(chain.REPO))
        files = dict(filing(message) for message in reader.to_end())
        if files:
            self.store.write(chain.REPO, files, reader.offsets())

    def half_days(self, days: int) -> Iterator[float]:
        """Move the clock by half a day at a time; yield the day, from 0."""
        begun = self.now
        for half in range(2 * days):
            self.now = begun + timedelta(hours=12 * half)
            yield half / 2
