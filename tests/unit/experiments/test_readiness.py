"""A version takes a role only when every replica serves it, with its golden outputs."""

from __future__ import annotations

import pytest

from chexnet.errors import Refused
from chexnet.experiments.readiness import missing, wait
from tests.unit.experiments.fakes import Answers, Replica


def test_a_version_that_every_replica_serves_as_exported_lacks_nothing() -> None:
    replicas = {"one": Replica(v2="AVAILABLE"), "two": Replica(v2="AVAILABLE")}
    assert missing(2, replicas, Answers(2)) == []
    assert [r.asked for r in replicas.values()] == [[2], [2]]


def test_for_a_version_that_has_answered_before_its_state_is_enough() -> None:
    replica = Replica(v2="AVAILABLE")
    assert missing(2, {"one": replica}, None) == []
    assert replica.asked == []
    assert len(missing(1, {"one": replica}, None)) == 1


def test_the_replica_that_is_still_loading_is_named() -> None:
    replicas = {
        "one": Replica(v7="AVAILABLE"),
        "two": Replica(v7="LOADING"),
        "three": Replica(v1="AVAILABLE"),
    }
    (sentence,) = missing(7, replicas, Answers(7))
    assert sentence == (
        "A version becomes champion only when AVAILABLE on every replica. Received: version 7, "
        "LOADING on two, not loaded on three. Wait with: chexnet status"
    )


def test_a_replica_that_answers_something_else_is_named() -> None:
    replicas = {"one": Replica(v2="AVAILABLE")}
    (sentence,) = missing(2, replicas, Answers(3))
    assert sentence.startswith("one: A release must repeat its golden outputs")


def test_a_replica_that_is_down_is_named() -> None:
    replica = Replica(v2="AVAILABLE")
    replica.down = True
    (sentence,) = missing(2, {"one": replica}, Answers(2))
    assert sentence.startswith("one: Waiting for serving")


def test_waiting_ends_when_the_version_is_loaded() -> None:
    replica = Replica()

    def load(_: float) -> None:
        replica.states_by_version[2] = "AVAILABLE"

    wait(2, {"one": replica}, Answers(2), timeout=60, sleep=load)
    assert replica.asked == [2]


def test_waiting_in_vain_says_for_what() -> None:
    with pytest.raises(Refused, match=r"Not ready after 0 s.*version 2, not loaded on one"):
        wait(2, {"one": Replica()}, Answers(2), timeout=0, sleep=lambda _: None)


def test_wrong_golden_outputs_are_not_waited_for() -> None:
    def sleep(_: float) -> None:
        raise AssertionError

    with pytest.raises(Refused, match="golden outputs"):
        wait(2, {"one": Replica(v2="AVAILABLE")}, Answers(3), timeout=60, sleep=sleep)
