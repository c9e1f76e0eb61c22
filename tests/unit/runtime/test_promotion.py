"""A promotion and a rollback under load, over the bus in memory: tests/faults has the real one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from chexnet import topics
from chexnet.adapters.memory import MemoryBus
from chexnet.experiments import decisions
from chexnet.experiments.control import Follower, read
from chexnet.experiments.decisions import By
from chexnet.messages import Control, Headers, Message, Prediction, decode, now
from chexnet.runtime.health import Health
from chexnet.runtime.worker import Worker
from chexnet.steps.predict import Predict
from tests.revisions import assert_each_is_its_revisions, assert_routers_follow

ME = By(who="me", at=now(), force=True, reason="A test.")


class Versions:
    """A serving that has every version."""

    def predict(self, version: int, x: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        return {"probabilities": np.full((len(x), 2), version / 10, np.float32)}


class Loaded:
    """A router in one thread, and in another somebody who sends images without a pause."""

    def __init__(self) -> None:
        self.bus, self.stop, self.sending = MemoryBus(), threading.Event(), threading.Event()
        self.sent: list[str] = []
        decisions.promote(self.bus, read(self.bus, "xray"), 1, [], [], {}, ME)
        step = Predict("answer", serving=Versions(), labels=("a", "b"), shape=(2, 2), clock=now)
        follower = Follower(self.bus, "xray")
        worker = Worker(
            *(self.bus, topics.IMAGES, lambda images: step(images, follower.current())),
            group="router",
            instance="0",
            health=Health("router"),
            stop=self.stop,
            at_most=8,
        )
        self.threads = [threading.Thread(target=run) for run in (worker.run, self._send)]

    def __enter__(self) -> Loaded:
        self.sending.set()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.sending.clear()
        self.threads[1].join()
        while len(self.said) < len(self.sent):
            self.stop.wait(0.01)
        self.stop.set()
        self.threads[0].join()

    def _send(self) -> None:
        while self.sending.is_set():
            upload = f"u{len(self.sent)}"
            headers = Headers(schema="image/1", upload_id=upload, image_id="i", created_at=now())
            image = Message(topic=topics.IMAGES, key=upload, value=bytes(4), headers=headers)
            self.bus.send([image])
            self.sent.append(upload)
            self.stop.wait(0.0005)

    @property
    def said(self) -> list[Prediction]:
        return [decode(m, Prediction) for m in self.bus.read([topics.PREDICTIONS]).to_end()]

    def more(self, count: int) -> None:
        wanted = len(self.said) + count
        while len(self.said) < wanted:
            self.stop.wait(0.01)

    def decide(self, decision: Callable[[Control], Control]) -> tuple[Control, datetime]:
        made = decision(read(self.bus, "xray"))
        return made, now()


def test_each_answer_is_of_the_one_revision_that_stood_when_its_batch_began() -> None:
    with Loaded() as load:
        load.more(50)
        changes = [
            load.decide(lambda c: decisions.promote(load.bus, c, 2, [], [], {}, ME, 0.5)),
        ]
        load.more(50)
        changes.append(load.decide(lambda c: decisions.rollback(load.bus, c, [], ME)))
        load.more(50)
    said = load.said
    assert sorted(p.upload_id for p in said) == sorted(load.sent)  # None lost, none doubled.
    assert {(p.revision, p.version) for p in said} == {(1, 1), (2, 1), (2, 2), (3, 1)}
    assert_each_is_its_revisions(load.bus, "xray", said)
    for control, readable in changes:
        assert_routers_follow(said, control, readable, routers=1)
