"""Control and the record of an experiment, over the bus in memory and on Kafka."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec import structs

from chexnet import topics
from chexnet.adapters.memory import MemoryBus, MemoryStore
from chexnet.errors import Stale
from chexnet.experiments import decisions
from chexnet.experiments.control import Follower, change, read
from chexnet.experiments.decisions import By
from chexnet.experiments.observed import observe
from chexnet.messages import Audit, Control, Headers, Message, new_id, now
from chexnet.settings import Settings
from chexnet.steps.ports import Bus
from tests.contract.own_topics import own_topics
from tests.unit.experiments.records import START, prediction

USED = (topics.CONTROL, topics.AUDIT, topics.PREDICTIONS, topics.SHADOW, topics.FEEDBACK)


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


def promote(bus: Bus, version: int, expected: int) -> Control:
    audit = Audit(
        audit_id=new_id(),
        at=now(),
        who="me",
        verified=False,
        action="promote",
        model="",
        before=0,
        after=0,
    )
    to = structs.replace(Control.empty("xray"), champion=version)
    return change(bus, "xray", expected=expected, to=to, audit=audit)


def test_a_change_is_read_back_with_its_audit(bus: Bus) -> None:
    assert read(bus, "xray") == Control.empty("xray")
    written = promote(bus, 3, expected=0)
    assert read(bus, "xray") == written
    (entry,) = decisions.history(bus, "xray")
    assert (entry.before, entry.after, entry.control) == (0, 1, written)


def test_a_stale_change_writes_nothing(bus: Bus) -> None:
    promote(bus, 1, expected=0)
    with pytest.raises(Stale, match=r"newest revision, 1\. Received: 0\."):
        promote(bus, 2, expected=0)
    assert read(bus, "xray").champion == 1
    assert len(list(decisions.history(bus, "xray"))) == 1


def test_of_writers_at_the_same_time_one_wins_and_the_others_are_told(bus: Bus) -> None:
    def attempt(version: int) -> int | None:
        try:
            return promote(bus, version, expected=0).champion
        except Stale:
            return None

    with ThreadPoolExecutor(4) as pool:
        won = [version for version in pool.map(attempt, range(1, 5)) if version]
    # All may have fenced each other; never do two win.
    assert len(won) <= 1
    assert read(bus, "xray").champion == (won[0] if won else None)
    assert len(list(decisions.history(bus, "xray"))) == len(won)


def test_a_follower_sees_a_promotion_at_its_next_look(bus: Bus) -> None:
    promote(bus, 1, expected=0)
    follower = Follower(bus, "xray")
    assert follower.current().champion == 1
    promote(bus, 2, expected=1)
    assert follower.current().champion == 2  # Once `poll(timeout=0)` gave it one look too late.
    follower.close()


def test_a_release_during_other_decisions_comes_in(bus: Bus) -> None:
    by = By(who="me", at=now())
    decisions.keep(bus, "xray", 1, by, {})
    decisions.keep(bus, "xray", 2, by, {})
    assert read(bus, "xray").keep == (1, 2)


def test_the_record_goes_on_where_the_archive_ends(bus: Bus) -> None:
    said = [prediction(f"i{n}", f"p{n}", "b", {"Mass": 0.5}) for n in range(20)]
    headers = Headers(schema="prediction/1", created_at=START)
    bus.send(
        [Message(topic=topics.SHADOW, key=p.unit, value=p.encode(), headers=headers) for p in said]
    )
    reader = bus.read([topics.PREDICTIONS, topics.SHADOW])
    first = list(reader.to_end())[:7]
    reader.close()
    offsets = {(m.topic.name, m.partition): m.offset + 1 for m in first}
    store = MemoryStore()
    store.ensure("predictions")
    files = {f"/data/20260101/{m.offset}-{m.partition}.json": m.value for m in first}
    store.write("predictions", files, offsets)
    got = observe(bus, store, since=START, until=START)
    assert {p.prediction_id for p in got.predictions} == {p.prediction_id for p in said}
    assert sum(n for place, n in got.read_to.items() if place.startswith("shadow")) == 20
