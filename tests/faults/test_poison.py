"""A file that kills, blocks or swells whoever decodes it is a dead letter; the others pass."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from chexnet import topics
from chexnet.adapters.memory import MemoryBus
from chexnet.inputs.base import Limits
from chexnet.messages import Headers, Message, now
from chexnet.runtime.health import Health
from chexnet.runtime.isolate import Isolated
from chexnet.runtime.worker import Worker, each
from chexnet.steps.preprocess import preprocess


def decode(data: bytes, limits: Limits) -> NDArray[np.uint8]:
    if data == b"crash":
        os.abort()
    if data == b"hang":
        threading.Event().wait()
    if data == b"swell":
        return np.ones(2**32, np.uint8)
    return np.frombuffer(data, np.uint8)


def make() -> Callable[..., NDArray[np.uint8]]:
    return decode


class Child:
    """Decodes in a child process, as the service does."""

    def __init__(self) -> None:
        self.isolated = Isolated(make, memory=2**28, seconds=1.0)

    def decode(self, data: bytes, limits: Limits) -> NDArray[np.uint8]:
        image: NDArray[np.uint8] = self.isolated(data, limits)
        return image


@pytest.fixture
def child() -> Iterator[Child]:
    made = Child()
    yield made
    made.isolated.close()


def upload(value: bytes) -> Message:
    headers = Headers(schema="upload/1", upload_id=value.decode(), image_id="i", created_at=now())
    return Message(topic=topics.UPLOADS, key="one patient", value=value, headers=headers)


def test_poison_is_a_dead_letter_with_its_reason_and_the_films_around_it_pass(
    child: Child,
) -> None:
    bus, stop = MemoryBus(), threading.Event()
    files = [b"first", b"crash", b"second", b"hang", b"third", b"swell", b"last"]
    bus.send([upload(file) for file in files])
    step = each(partial(preprocess, source=child, limits=Limits()))
    health = Health("preprocess")
    worker = Worker(
        bus, topics.UPLOADS, step, group="preprocess", instance="0", health=health, stop=stop
    )
    thread = threading.Thread(target=worker.run)
    thread.start()
    while len(made := list(bus.read([topics.IMAGES]).to_end())) < 4:
        stop.wait(0.01)
    stop.set()
    thread.join()
    assert [m.value for m in made] == [b"first", b"second", b"third", b"last"]
    letters = {m.value: m.headers.extra for m in bus.read([topics.UPLOADS.dlq]).to_end()}
    assert {value: extra["error"] for value, extra in letters.items()} == {
        b"crash": "crashed",
        b"hang": "too-slow",
        b"swell": "out-of-memory",
    }
    assert all("Received: one that" in extra["reason"] for extra in letters.values())
