"""The worker over the bus in memory: nothing lost, nothing doubled, nothing diverted wrongly."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from chexnet import topics
from chexnet.adapters.memory import MemoryBus
from chexnet.errors import Failed, Unavailable
from chexnet.messages import Headers, Message, Rejected, now
from chexnet.runtime.health import Health
from chexnet.runtime.worker import Handler, Worker, each


def upload(n: int) -> Message:
    headers = Headers(schema="upload/1", upload_id=f"u{n}", image_id="i", created_at=now())
    return Message(topic=topics.UPLOADS, key=f"k{n}", value=str(n).encode(), headers=headers)


def copy(message: Message) -> list[Message | Rejected]:
    return [message.to(topics.IMAGES, value=message.value)]


class Running:
    """A worker in a thread, and what it wrote."""

    def __init__(self, bus: MemoryBus, handler: Handler, **options: int) -> None:
        self.bus, self.stop, self.health = bus, threading.Event(), Health("test")
        self.worker = Worker(
            bus,
            topics.UPLOADS,
            handler,
            group="test",
            instance="0",
            health=self.health,
            stop=self.stop,
            **options,
        )

    def until(self, condition: Callable[[], bool]) -> None:
        thread = threading.Thread(target=self.worker.run)
        thread.start()
        while thread.is_alive() and not condition():
            self.stop.wait(0.005)
        self.stop.set()
        thread.join()

    def read(self, topic: topics.Topic) -> list[Message]:
        return list(self.bus.read([topic]).to_end())


def test_every_message_is_done_once() -> None:
    bus = MemoryBus()
    bus.send([upload(n) for n in range(100)])
    running = Running(bus, each(copy), at_most=7)
    running.until(lambda: len(running.read(topics.IMAGES)) == 100)
    assert sorted(m.headers.upload_id for m in running.read(topics.IMAGES)) == sorted(
        f"u{n}" for n in range(100)
    )


def test_a_reject_goes_to_the_dlq_and_the_others_go_on() -> None:
    def picky(message: Message) -> list[Message | Rejected]:
        if message.value == b"3":
            return [Rejected(message=message, code="three", reason="Not three.")]
        return copy(message)

    bus = MemoryBus()
    bus.send([upload(n) for n in range(10)])
    running = Running(bus, each(picky))
    running.until(lambda: len(running.read(topics.IMAGES)) == 9)
    (letter,) = running.read(topics.UPLOADS.dlq)
    assert (letter.value, letter.headers.extra["error"]) == (b"3", "three")


def test_an_outage_rejects_nothing_and_its_reason_is_seen() -> None:
    seen: list[str] = []
    bus = MemoryBus()

    def down_twice(messages: Sequence[Message]) -> list[list[Message | Rejected]]:
        seen.append(running.health.reason)
        if len(seen) < 3:
            raise Unavailable("Waiting for serving.")
        return [copy(m) for m in messages]

    bus.send([upload(0)])
    running = Running(bus, down_twice)
    running.until(lambda: len(running.read(topics.IMAGES)) == 1)
    assert seen[1:] == ["Waiting for serving.", "Waiting for serving."]
    assert running.read(topics.UPLOADS.dlq) == []


def test_a_bug_is_tried_again_then_rejected_as_internal_and_spares_its_batch() -> None:
    tries: list[bytes] = []

    def broken(message: Message) -> list[Message | Rejected]:
        if message.value == b"1":
            tries.append(message.value)
            raise ZeroDivisionError("by nought")
        return copy(message)

    bus = MemoryBus()
    bus.send([upload(n) for n in range(3)])
    running = Running(bus, each(broken), tries=3)
    running.until(lambda: len(running.read(topics.IMAGES)) == 2)
    (letter,) = running.read(topics.UPLOADS.dlq)
    assert letter.headers.extra["error"] == "internal"
    assert "ZeroDivisionError: by nought" in letter.headers.extra["reason"]
    assert len(tries) == 4  # Once with its batch, three times alone.


def test_a_long_run_of_rejects_stops_the_step_and_its_health_says_why() -> None:
    def never(message: Message) -> list[Message | Rejected]:
        return [Rejected(message=message, code="no", reason="No.")]

    bus = MemoryBus()
    bus.send([upload(n) for n in range(50)])
    running = Running(bus, each(never), at_most=5, run_of_rejects=10)
    running.until(lambda: running.health.state == "stopped")
    assert len(running.read(topics.UPLOADS.dlq)) == 10
    assert "dlq list uploads" in running.health.reason
    assert running.health.answer()[0] == 503


def test_a_dead_letter_names_its_step_and_what_failed() -> None:
    def broken(_: Message) -> list[Message | Rejected]:
        raise Failed("Version 7, ValueError: no.", version="7", revision="3")

    bus = MemoryBus()
    bus.send([upload(0)])
    running = Running(bus, each(broken), tries=1)
    running.until(lambda: bool(running.read(topics.UPLOADS.dlq)))
    (letter,) = running.read(topics.UPLOADS.dlq)
    extra = letter.headers.extra
    assert (extra["error"], extra["step"], extra["version"]) == ("internal", "test", "7")
    assert "Version 7, ValueError: no." in extra["reason"]
