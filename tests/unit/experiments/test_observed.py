"""The archive and the bus join without a gap and without a double."""

from __future__ import annotations

from datetime import timedelta

from chexnet import topics
from chexnet.adapters.memory import MemoryBus, MemoryStore
from chexnet.experiments.observed import observe
from chexnet.messages import CHAMPION, Headers, Message
from tests.unit.experiments.records import START, prediction, read

LATER = START + timedelta(days=3)


def sent(bus: MemoryBus, topic, record) -> Message:
    headers = Headers(schema=topic.schemas[-1], created_at=START)
    bus.send([Message(topic=topic, key="p", value=record.encode(), headers=headers)])
    return record


def place(bus: MemoryBus, topic) -> tuple[str, int]:
    (at,) = {m.partition for m in bus.read([topic]).to_end()}
    return topic.name, at


def test_what_is_archived_and_what_is_not_yet_are_each_there_once() -> None:
    bus, store = MemoryBus(), MemoryStore()
    answers = [prediction(image, "p", CHAMPION, {}) for image in "ijk"]
    for answer in answers:
        sent(bus, topics.PREDICTIONS, answer)
    shadow = sent(bus, topics.SHADOW, prediction("i", "p", "b", {}))
    word = sent(bus, topics.FEEDBACK, read("i", {}))
    store.ensure("predictions")
    archived = {f"/data/20260101/{p.prediction_id}.json": p.encode() for p in answers[:2]}
    # The newest commit may be ahead of the offsets that were read just before.
    at = place(bus, topics.PREDICTIONS)
    commit = store.write("predictions", archived, {at: 1})
    got = observe(bus, store, since=START, until=LATER)
    assert sorted(p.prediction_id for p in got.predictions) == sorted(
        p.prediction_id for p in [*answers, shadow]
    )
    assert got.feedback == (word,)
    assert got.read_to["predictions"] == commit
    assert got.read_to[f"predictions/{at[1]}"] == 3
    assert "feedback" not in got.read_to  # No archive of it yet.


def test_days_long_before_the_experiment_are_not_read() -> None:
    bus, store = MemoryBus(), MemoryStore()
    store.ensure("predictions")
    record = prediction("i", "p", CHAMPION, {}).encode()
    days = ["20251224", "20251225", "20260104", "20260105"]
    store.write("predictions", {f"/data/{day}/x{day}.json": record for day in days})
    read_days: list[str] = []

    class Watched(MemoryStore):
        def fetch(self, repo, path="/", commit=None):
            for found, data in store.fetch(repo, path, commit):
                read_days.append(found.split("/")[2])
                yield found, data

        def head(self, repo):
            return store.head(repo)

    observe(bus, Watched(), since=START, until=LATER)
    assert read_days == ["20251225", "20260104"]


def test_a_record_that_the_archiver_will_reject_stops_nobody() -> None:
    bus = MemoryBus()
    headers = Headers(schema="feedback/1", created_at=START)
    bus.send([Message(topic=topics.FEEDBACK, key="p", value=b"{", headers=headers)])
    good = sent(bus, topics.FEEDBACK, read("i", {}))
    assert observe(bus, MemoryStore(), since=START, until=LATER).feedback == (good,)
