"""What only Kafka can do: several members of a group, and what one that was killed leaves."""

from __future__ import annotations

import multiprocessing as mp
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from kafka import KafkaConsumer

from chexnet import topics
from chexnet.adapters.kafka import KafkaBus, stall
from chexnet.errors import Unavailable
from chexnet.messages import Headers, Message, Rejected, now
from chexnet.runtime.health import Health
from chexnet.runtime.worker import Worker, each
from chexnet.settings import KafkaSettings, LimitSettings, Settings
from chexnet.steps.ports import Subscription
from tests.contract.own_topics import own_pipeline

USED = (topics.UPLOADS, topics.IMAGES)


@pytest.fixture
def own(stack: Settings) -> Iterator[Settings]:
    with own_pipeline(stack, USED) as settings:
        yield settings


def uploads(first: int, end: int) -> list[Message]:
    made = []
    for n in range(first, end):
        headers = Headers(schema="upload/1", upload_id=f"u{n}", image_id="i", created_at=now())
        made.append(Message(topic=topics.UPLOADS, key=f"k{n}", value=b"film", headers=headers))
    return made


def images_of(messages: list[Message]) -> list[Message]:
    return [m.to(topics.IMAGES, value=b"image") for m in messages]


def copy(message: Message) -> list[Message | Rejected]:
    return [message.to(topics.IMAGES, value=b"image")]


def made(bus: KafkaBus) -> Counter[str]:
    with closing(bus.read([topics.IMAGES])) as reader:
        return Counter(m.headers.upload_id for m in reader.to_end())


def take(subscription: Subscription, count: int) -> list[Message]:
    taken: list[Message] = []
    while len(taken) < count:
        taken += subscription.poll(at_most=count - len(taken), timeout=1)
    return taken


class Member:
    """A worker of the group in a thread, until it leaves."""

    def __init__(self, settings: Settings, instance: str) -> None:
        self._stop = threading.Event()
        worker = Worker(
            KafkaBus(settings),
            topics.UPLOADS,
            each(copy),
            group="g",
            instance=instance,
            health=Health("member"),
            stop=self._stop,
            at_most=5,
        )
        self._thread = threading.Thread(target=worker.run)
        self._thread.start()

    def leave(self) -> None:
        self._stop.set()
        self._thread.join()


@pytest.mark.real
def test_members_come_and_go_and_each_message_is_done_once(own: Settings) -> None:
    bus = KafkaBus(own)
    members = [Member(own, "0")]
    for start, event in ((0, "join"), (300, "leave"), (600, "")):
        bus.send(uploads(start, start + 150))
        if event == "join":
            members.append(Member(own, "1"))
        elif event == "leave":
            members.pop(0).leave()
        bus.send(uploads(start + 150, start + 300))
    while sum((found := made(bus)).values()) < 900:
        threading.Event().wait(0.2)
    for member in members:
        member.leave()
    assert found == made(bus) == Counter({f"u{n}": 1 for n in range(900)})
    bus.close()


class Fatal(list[Message]):
    """Messages of which the second ends the process, as `kill -9` would."""

    def __iter__(self) -> Iterator[Message]:
        yield self[0]
        os._exit(9)


def _die_in_a_transaction(settings: Settings) -> None:
    subscription = KafkaBus(settings).subscribe(topics.UPLOADS, group="g", instance="0")
    subscription.complete(Fatal(images_of(take(subscription, 2))))


@pytest.mark.real
def test_what_a_killed_process_left_half_done_is_undone_by_its_restart(own: Settings) -> None:
    bus = KafkaBus(own)
    bus.send(uploads(0, 2))
    process = mp.get_context("spawn").Process(target=_die_in_a_transaction, args=(own,))
    process.start()
    process.join()
    assert process.exitcode == 9
    with closing(bus.subscribe(topics.UPLOADS, group="g", instance="0")) as again:
        began = time.monotonic()
        again.complete(images_of(take(again, 2)))
        assert made(bus) == {"u0": 1, "u1": 1}
        assert time.monotonic() - began < own.kafka.transaction_timeout  # Nobody waited for it.
    bus.close()


@pytest.mark.real
def test_an_older_process_of_an_instance_can_not_complete_any_more(own: Settings) -> None:
    bus = KafkaBus(own)
    bus.send(uploads(0, 2))
    older = bus.subscribe(topics.UPLOADS, group="g", instance="0")
    taken = take(older, 2)
    with closing(bus.subscribe(topics.UPLOADS, group="g", instance="0")) as newer:
        with pytest.raises(Unavailable):
            older.complete(images_of(taken))
        newer.complete(images_of(take(newer, 2)))
    assert made(bus) == {"u0": 1, "u1": 1}
    older.close()
    bus.close()


@pytest.mark.slow
def test_a_broker_that_is_away_is_a_sentence_and_leaves_no_thread_behind() -> None:
    nowhere = KafkaSettings(bootstrap="127.0.0.1:1")
    bus = KafkaBus(Settings.model_construct(kafka=nowhere, limits=LimitSettings(), pipeline="xray"))
    before = threading.active_count()
    with pytest.raises(Unavailable, match=r"Kafka at 127.0.0.1:1: .* Nothing is lost.*make up"):
        bus.read([topics.UPLOADS])
    assert threading.active_count() == before


@pytest.mark.real
def test_what_comes_while_a_moment_is_looked_up_is_read(
    own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(KafkaBus(own)) as bus:
        ask = KafkaConsumer.offsets_for_times

        def interrupted(consumer: KafkaConsumer, *asked: Any) -> Any:
            found = ask(consumer, *asked)
            bus.send(uploads(1, 2))
            return found

        bus.send(uploads(0, 1))
        began = now() + timedelta(milliseconds=1)  # Kafka's clock has no less.
        monkeypatch.setattr(KafkaConsumer, "offsets_for_times", interrupted)
        with closing(bus.read([topics.UPLOADS], start=began)) as reader:
            assert [m.headers.upload_id for m in reader.to_end()] == ["u1"]


@pytest.fixture
def _looks_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stall, "EVERY", 0.0)


@pytest.mark.usefixtures("_looks_always")
def test_a_reader_that_ceases_to_fetch_goes_on_where_it_was(own: Settings) -> None:
    with closing(KafkaBus(own)) as bus, closing(bus.read([topics.UPLOADS])) as reader:
        bus.send(uploads(0, 3))
        seen = [m.headers.upload_id for m in reader.to_end()]
        reader._consumer.pause(*reader._consumer.assignment())  # Nothing comes, nobody says why.
        bus.send(uploads(3, 6))
        while len(seen) < 6:
            seen += [m.headers.upload_id for m in reader.poll(timeout=0.1)]
        assert sorted(seen) == [f"u{n}" for n in range(6)]


@pytest.mark.usefixtures("_looks_always")
def test_a_member_that_ceases_to_fetch_joins_anew(own: Settings) -> None:
    with closing(KafkaBus(own)) as bus:
        bus.send(uploads(0, 3))
        with closing(bus.subscribe(topics.UPLOADS, group="g", instance="1")) as member:
            take(member, 3)
            member.complete([])
            member._consumer.pause(*member._consumer.assignment())
            bus.send(uploads(3, 6))
            assert {m.headers.upload_id for m in take(member, 3)} == {"u3", "u4", "u5"}
