"""Stall, over a consumer that says what it is told to."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError, NotLeaderForPartitionError

from chexnet.adapters.kafka import stall
from chexnet.adapters.kafka.stall import Stall

A, B = TopicPartition("t", 0), TopicPartition("t", 1)


class Consumer:
    def __init__(self, **at: int | None) -> None:
        self.positions = {A: at.get("a", 0), B: at.get("b", 0)}
        self.ends = {A: 0, B: 0}
        self.failure: KafkaError | None = None

    def assignment(self) -> set[TopicPartition]:
        return set(self.positions)

    def end_offsets(self, _: object, timeout_ms: int) -> Mapping[TopicPartition, int]:
        del timeout_ms
        if self.failure is not None:
            raise self.failure
        return self.ends

    def position(self, tp: TopicPartition, timeout_ms: int) -> int | None:
        del timeout_ms
        return self.positions[tp]


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stall, "EVERY", 0.0)


def test_what_waits_at_two_looks_is_a_stall_and_what_came_in_between_is_not() -> None:
    consumer = Consumer()
    look = Stall(consumer)
    assert not look.found()
    consumer.ends = {A: 0, B: 5}
    assert not look.found()
    assert look.found()


def test_a_consumer_that_moves_has_not_stalled_however_far_behind_it_is() -> None:
    consumer = Consumer()
    consumer.ends = {A: 1000, B: 0}
    look = Stall(consumer)
    for position in range(5):
        consumer.positions[A] = position
        assert not look.found()


def test_one_partition_of_two_is_enough() -> None:
    consumer = Consumer()
    consumer.ends = {A: 1000, B: 3}
    look = Stall(consumer)
    assert not look.found()
    consumer.positions[A] = 10
    assert look.found()


@pytest.mark.parametrize("failure", [KafkaTimeoutError("5 s"), NotLeaderForPartitionError()])
def test_brokers_that_do_not_tell_the_ends_are_a_stall(failure: KafkaError) -> None:
    consumer = Consumer()
    consumer.failure = failure
    assert Stall(consumer).found()


def test_a_partition_whose_beginning_is_not_told_is_a_stall() -> None:
    assert Stall(Consumer(b=None)).found()


def test_a_member_without_partitions_waits_in_peace() -> None:
    consumer = Consumer()
    consumer.positions.clear()
    look = Stall(consumer)
    assert not look.found()
    assert not look.found()


def test_between_two_looks_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stall, "EVERY", 1000.0)
    consumer = Consumer()
    consumer.failure = KafkaTimeoutError("5 s")
    assert not Stall(consumer).found()
