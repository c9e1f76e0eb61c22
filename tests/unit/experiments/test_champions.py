"""Champions: each moment has the one that the decisions say, and its grounds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from chexnet.adapters.memory import MemoryBus
from chexnet.experiments import decisions
from chexnet.experiments.champions import champions, grounds
from chexnet.experiments.control import read
from chexnet.experiments.decisions import By
from tests.unit.experiments.records import experiment

MARCH = datetime(2026, 3, 1, 12, tzinfo=UTC)
COMPARED = {
    "comparison": {
        "metric": "macro_auroc",
        "difference": {"value": 0.031, "low": 0.012, "high": 0.05, "confidence": 0.95},
    }
}


def by(day: int, **changes) -> By:
    return By(**({"who": "jd", "at": MARCH + timedelta(days=day - 1)} | changes))


@pytest.fixture
def bus() -> MemoryBus:
    """Version 1 on 1 March, 2 by an experiment on the 5th, back on the 6th, 3 forced on the 9th."""
    made = MemoryBus()
    decisions.keep(made, "xray", 1, by(1), {})
    decisions.promote(made, read(made, "xray"), 1, [], [], {}, by(1))
    decisions.keep(made, "xray", 2, by(2), {})
    started = experiment(name="b-against-a")
    decisions.start(made, read(made, "xray"), started, {"b": 2}, 1.0, [], by(3))
    decisions.promote(made, read(made, "xray"), 2, [], [], COMPARED, by(5))
    decisions.rollback(made, read(made, "xray"), [], by(6, reason="worse on Effusion"))
    forced = by(9, force=True, reason="The scanner is new.")
    decisions.promote(made, read(made, "xray"), 3, [], ["No.", "Nor that."], {}, forced)
    return made


def test_each_champion_ends_where_the_next_begins(bus: MemoryBus) -> None:
    found = champions(decisions.history(bus, "xray"))
    assert [c.version for c in found] == [1, 2, 1, 3]
    assert [c.since.day for c in found] == [1, 5, 6, 9]
    assert [c.until and c.until.day for c in found] == [5, 6, 9, None]


def test_its_grounds_are_those_of_the_decision(bus: MemoryBus) -> None:
    assert [grounds(c) for c in champions(decisions.history(bus, "xray"))] == [
        "the first: nothing to compare with",
        "b-against-a: macro_auroc +0.0310 (+0.0120 to +0.0500)",
        "rolled back from version 2",
        "forced, 2 points missing",
    ]


def test_a_sequence_is_told_by_its_own_difference() -> None:
    made = MemoryBus()
    decisions.promote(made, read(made, "xray"), 1, [], [], {}, by(1))
    brier = experiment(metric="brier", lag_days=1)
    decisions.start(made, read(made, "xray"), brier, {"b": 2}, 1.0, [], by(2))
    sequence = {"difference": {"value": 0.02, "low": 0.001, "high": 0.04}}
    evidence = {"comparison": {"metric": "brier", "difference": None, "sequential": sequence}}
    decisions.promote(made, read(made, "xray"), 2, [], [], evidence, by(3))
    told = grounds(champions(decisions.history(made, "xray"))[-1])
    assert told == "e: brier +0.0200 (+0.0010 to +0.0400)"


@pytest.mark.parametrize(
    ("day", "versions"),
    [
        (date(2026, 2, 28), []),
        (date(2026, 3, 1), [1]),
        (date(2026, 3, 4), [1]),
        (date(2026, 3, 5), [1, 2]),
        (date(2026, 3, 6), [2, 1]),
        (date(2027, 1, 1), [3]),
    ],
)
def test_a_day_has_all_that_were_champion_on_it(
    bus: MemoryBus, day: date, versions: list[int]
) -> None:
    found = champions(decisions.history(bus, "xray"))
    assert [c.version for c in found if c.was(day)] == versions


def test_a_champion_until_midnight_is_none_of_the_day_that_begins() -> None:
    made = MemoryBus()
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    decisions.promote(made, read(made, "xray"), 1, [], [], {}, by(1))
    decisions.promote(made, read(made, "xray"), 2, [], [], {}, by(1, at=midnight))
    found = champions(decisions.history(made, "xray"))
    assert [c.version for c in found if c.was(date(2026, 3, 2))] == [2]
    assert [c.version for c in found if c.was(date(2026, 3, 1))] == [1]
