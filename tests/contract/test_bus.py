"""One suite over the bus in memory and on Kafka: each test is a way in which they could differ."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
from msgspec import structs

from chexnet import topics
from chexnet.adapters.memory import MemoryBus
from chexnet.errors import Stale
from chexnet.inputs.base import Limits
from chexnet.messages import Headers, Message, now
from chexnet.settings import Settings
from chexnet.steps.ports import Bus, Reader, Subscription
from tests.contract.own_topics import own_topics

USED = (topics.UPLOADS, topics.IMAGES, topics.CONTROL)


@pytest.fixture
def memory_bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
def kafka_bus(stack: Settings) -> Iterator[Bus]:
    with own_topics(stack, USED) as bus:
        yield bus


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.real)])
def bus(request: pytest.FixtureRequest) -> Bus:
    made: Bus = request.getfixturevalue(f"{request.param}_bus")
    return made


def upload(n: int = 0, key: str = "unit", value: bytes = b"film") -> Message:
    headers = Headers(schema="upload/1", upload_id=f"u{n}", image_id="i", created_at=now())
    return Message(topic=topics.UPLOADS, key=key, value=value, headers=headers)


def everything(reader: Reader) -> list[Message]:
    found = list(reader.to_end())
    reader.close()
    return found


def take(subscription: Subscription, count: int) -> list[Message]:
    taken: list[Message] = []
    while len(taken) < count:  # The suite's timeout ends a wait that is in vain.
        taken += subscription.poll(at_most=count - len(taken), timeout=1)
    return taken


def test_what_was_sent_is_read_with_its_key_and_headers(bus: Bus) -> None:
    sent = upload()
    bus.send([structs.replace(sent, headers=structs.replace(sent.headers, extra={"error": "ü"}))])
    (read,) = everything(bus.read([topics.UPLOADS]))
    assert (read.key, read.value) == ("unit", b"film")
    assert read.headers == structs.replace(sent.headers, extra={"error": "ü"})
    assert read.offset == 0
    assert 0 <= read.partition < topics.UPLOADS.partitions


@pytest.mark.parametrize("size", [0, Limits().cleaned_bytes], ids=["empty", "the largest"])
def test_a_value_of_any_allowed_size_goes_through(bus: Bus, size: int) -> None:
    bus.send([upload(value=bytes(size))])
    (read,) = everything(bus.read([topics.UPLOADS]))
    assert len(read.value) == size


def test_one_unit_stays_in_order_in_one_partition(bus: Bus) -> None:
    bus.send([upload(n) for n in range(50)])
    read = everything(bus.read([topics.UPLOADS]))
    assert [m.headers.upload_id for m in read] == [f"u{n}" for n in range(50)]
    assert len({m.partition for m in read}) == 1


def test_a_reader_at_the_end_sees_only_what_comes(bus: Bus) -> None:
    bus.send([upload(1)])
    reader = bus.read([topics.UPLOADS], start="end")
    bus.send([upload(2)])
    assert [m.headers.upload_id for m in everything(reader)] == ["u2"]


def test_a_reader_goes_on_from_its_offsets(bus: Bus) -> None:
    bus.send([upload(1)])
    first = bus.read([topics.UPLOADS])
    assert len(list(first.to_end())) == 1
    bus.send([upload(2)])
    again = bus.read([topics.UPLOADS], start=first.offsets())
    first.close()
    assert [m.headers.upload_id for m in everything(again)] == ["u2"]


def test_a_reader_may_start_at_a_moment(bus: Bus) -> None:
    bus.send([upload(1)])
    before, after = now() - timedelta(minutes=1), now() + timedelta(minutes=1)
    assert len(everything(bus.read([topics.UPLOADS], start=before))) == 1
    assert len(everything(bus.read([topics.UPLOADS], start=after))) == 0


def test_several_topics_are_read_together(bus: Bus) -> None:
    bus.send([upload(1), upload(2).to(topics.IMAGES, value=b"image")])
    read = everything(bus.read([topics.UPLOADS, topics.IMAGES]))
    assert {m.topic for m in read} == {topics.UPLOADS, topics.IMAGES}


def test_what_is_completed_is_not_polled_again(bus: Bus) -> None:
    bus.send([upload(n, key=f"k{n}") for n in range(20)])
    first = bus.subscribe(topics.UPLOADS, group="g", instance="0")
    taken = take(first, 20)
    first.complete([m.to(topics.IMAGES, value=b"") for m in taken])
    first.close()
    bus.send([upload(99)])
    second = bus.subscribe(topics.UPLOADS, group="g", instance="0")
    assert [m.headers.upload_id for m in take(second, 1)] == ["u99"]
    second.close()
    made = everything(bus.read([topics.IMAGES]))
    assert {m.headers.upload_id for m in made} == {f"u{n}" for n in range(20)}


def test_what_is_not_completed_is_polled_again(bus: Bus) -> None:
    bus.send([upload(1)])
    first = bus.subscribe(topics.UPLOADS, group="g", instance="0")
    take(first, 1)
    first.close()
    second = bus.subscribe(topics.UPLOADS, group="g", instance="0")
    assert len(take(second, 1)) == 1
    second.close()


def test_a_rewind_goes_back_to_what_was_completed(bus: Bus) -> None:
    subscription = bus.subscribe(topics.UPLOADS, group="g", instance="0")
    bus.send([upload(1)])
    take(subscription, 1)
    subscription.complete([])
    bus.send([upload(2)])
    take(subscription, 1)
    subscription.rewind()
    assert [m.headers.upload_id for m in take(subscription, 1)] == ["u2"]
    subscription.close()


def test_groups_do_not_disturb_each_other(bus: Bus) -> None:
    bus.send([upload(1)])
    for group in ("answers", "shadows"):
        subscription = bus.subscribe(topics.UPLOADS, group=group, instance="0")
        assert len(take(subscription, 1)) == 1
        subscription.complete([])
        subscription.close()


def test_lag_counts_what_waits(bus: Bus) -> None:
    bus.send([upload(n) for n in range(5)])
    subscription = bus.subscribe(topics.UPLOADS, group="g", instance="0")
    taken = take(subscription, 2)
    assert subscription.lag() == 5 - len(taken)
    subscription.close()


def test_a_newer_exclusive_writer_fences_the_older(bus: Bus) -> None:
    control = structs.replace(upload(), topic=topics.CONTROL)
    with bus.exclusive("control") as older:
        older.write([control])
        with bus.exclusive("control") as newer:
            with pytest.raises(Stale, match="newer one"):
                older.write([control])
            newer.write([control])
    assert len(everything(bus.read([topics.CONTROL]))) == 2


def test_of_two_writers_that_race_each_write_is_whole(bus: Bus) -> None:
    def write(name: int) -> None:
        with suppress(Stale), bus.exclusive("control") as writer:
            pair = [structs.replace(upload(name), topic=topics.CONTROL) for _ in range(2)]
            writer.write(pair)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [m.headers.upload_id for m in everything(bus.read([topics.CONTROL]))]
    assert ids
    assert all(a == b for a, b in zip(ids[::2], ids[1::2], strict=True))
