"""The thread that follows uploads, over a bus that fails it once."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import pytest

from chexnet.adapters.memory import MemoryBus, MemoryReader
from chexnet.errors import Forbidden, Unavailable
from chexnet.messages import now
from chexnet.runtime.health import Health, State
from chexnet.steps.ports import Start
from chexnet.topics import Topic
from services.gateway.statuses import Statuses, follow


class Failing(MemoryBus):
    """Refuses the first reader."""

    def __init__(self, failure: Exception) -> None:
        super().__init__()
        self.failure: Exception | None = failure

    def read(self, topics: Iterable[Topic], *, start: Start = "beginning") -> MemoryReader:
        if (failure := self.failure) is not None:
            self.failure = None
            raise failure
        return super().read(topics, start=start)


class Recorded(Health):
    """Keeps what was said, and ends the thread when it is well."""

    def __init__(self, stop: threading.Event) -> None:
        super().__init__("gateway")
        self.said: list[tuple[State, str]] = []
        self._stop = stop

    def set(self, state: State, reason: str = "") -> None:
        super().set(state, reason)
        self.said.append((state, reason))
        if state == "ok":
            self._stop.set()


@pytest.mark.parametrize(
    "failure", [Unavailable("away"), Forbidden("refused"), ValueError("unexpected")], ids=repr
)
def test_whatever_ends_a_reader_is_told_and_tried_again(failure: Exception) -> None:
    stop = threading.Event()
    health = Recorded(stop)
    follow(Failing(failure), Statuses(), health, stop, now())
    assert health.said == [("waiting", str(failure)), ("ok", "")]
