"""What is in question under a control: by the decisions that made it, and by nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from chexnet.adapters.memory import MemoryBus
from chexnet.experiments import decisions
from chexnet.experiments.control import read
from chexnet.experiments.decisions import By
from chexnet.experiments.questioned import BEFORE, Watch, watch
from tests.unit.experiments.records import START, experiment

DAY = timedelta(hours=24)


def by(hours: float) -> By:
    return By(who="me", at=START + timedelta(hours=hours))


@pytest.fixture
def bus() -> MemoryBus:
    """Version 1 is champion; version 2 becomes it an hour later."""
    made = MemoryBus()
    for version in (1, 2):
        decisions.promote(made, read(made, "xray"), version, [], [], {}, by(version - 1))
    return made


def compare(bus: MemoryBus, hours: float, exposure: float = 0.01) -> None:
    begun = experiment(design="split", metric="brier", lag_days=7.0, started_at=by(hours).at)
    decisions.start(bus, read(bus, "xray"), begun, {"b": 3}, exposure, [], by(hours))


def asked(bus: MemoryBus, now: datetime) -> Watch | None:
    return watch(read(bus, "xray"), decisions.history(bus, "xray"), fresh=DAY, now=now)


def facts(found: Watch | None) -> list[tuple[int, int, int]]:
    return [(q.version, q.against, q.revision) for q in found.questions] if found else []


def test_a_champion_is_in_question_for_a_day(bus: MemoryBus) -> None:
    found = asked(bus, by(25).at)
    assert facts(found) == [(2, 1, 2)]
    assert (found.since, found.until) == (by(1).at - BEFORE, by(25).at)
    assert asked(bus, by(25.1).at) is None


def test_the_first_champion_and_one_that_came_back_are_not(bus: MemoryBus) -> None:
    decisions.rollback(bus, read(bus, "xray"), [], by(2))
    assert asked(bus, by(2).at) is None
    first = MemoryBus()
    decisions.promote(first, read(first, "xray"), 1, [], [], {}, by(0))
    assert asked(first, by(0).at) is None


def test_a_fresh_champion_and_its_challengers_are_in_question_together(bus: MemoryBus) -> None:
    compare(bus, 2)
    found = asked(bus, by(3).at)
    assert facts(found) == [(2, 1, 2), (3, 2, 3)]
    assert found.since == by(1).at - BEFORE
    later = asked(bus, by(26).at)
    assert facts(later) == [(3, 2, 3)]
    assert (later.since, later.until) == (by(2).at, None)


def test_a_stage_begins_when_the_exposure_changes_and_at_nothing_else(bus: MemoryBus) -> None:
    compare(bus, 2)
    decisions.note(bus, read(bus, "xray"), "breach", by(2.5), {})
    decisions.keep(bus, "xray", 4, by(3), {})
    begun = asked(bus, by(4).at).stage
    assert (begun.revision, begun.began) == (3, by(2).at)
    decisions.expose(bus, read(bus, "xray"), 0.05, by(5))
    decisions.keep(bus, "xray", 5, by(6), {})
    grown = asked(bus, by(7).at).stage
    assert (grown.revision, grown.began) == (5, by(5).at)


def test_what_was_decided_after_this_control_is_left_alone(bus: MemoryBus) -> None:
    looked = read(bus, "xray")
    decisions.promote(bus, looked, 7, [], [], {}, by(2))
    found = watch(looked, decisions.history(bus, "xray"), fresh=DAY, now=by(3).at)
    assert facts(found) == [(2, 1, 2)]
