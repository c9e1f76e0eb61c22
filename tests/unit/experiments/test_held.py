"""The experiments that the audit tells of, and how each ended."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec import structs

from chexnet.experiments import decisions
from chexnet.experiments.control import read
from chexnet.experiments.held import Held, experiments
from chexnet.messages import CHAMPION
from tests.unit.experiments.records import START, experiment
from tests.unit.experiments.test_flow import ME, NOW, World, world  # noqa: F401


def held(world: World) -> dict[str, Held]:  # noqa: F811
    return experiments(decisions.history(world.bus, "xray"))


def test_without_an_experiment_there_is_none(world: World) -> None:  # noqa: F811
    assert held(world) == {}


def test_what_runs_has_no_end(world: World) -> None:  # noqa: F811
    world.start(experiment(stages=(0.1, 1.0), design="split"), 0.1)
    told = held(world)["e"].plain()
    assert (told["design"], told["until"], told["outcome"]) == ("canary", None, "running")
    assert told["versions"] == {CHAMPION: 1, "b": 2}


def end(world: World, how: str) -> None:  # noqa: F811
    looked = read(world.bus, "xray")
    by = structs.replace(ME, at=NOW + timedelta(hours=1), reason="enough", force=True)
    if how == "stopped":
        decisions.stop(world.bus, looked, by, {})
    elif how == "rolled back":
        decisions.rollback(world.bus, looked, [], by)
    else:
        decisions.promote(world.bus, looked, 2, [], ["few"], {}, by)


@pytest.mark.parametrize("how", ["stopped", "promoted"])
def test_an_end_is_told_with_who_and_when(world: World, how: str) -> None:  # noqa: F811
    world.start(experiment(design="split", metric="brier", lag_days=7.0), 0.2)
    decisions.expose(world.bus, read(world.bus, "xray"), 0.4, ME)
    end(world, how)
    (first,) = held(world).values()
    assert sorted(first.exposures.values()) == [0.2, 0.4]
    told = first.plain()
    assert (told["outcome"], told["by"], told["reason"]) == (how, "me (unverified)", "enough")
    assert told["promoted"] == ("b" if how == "promoted" else None)
    assert (told["from"], told["until"]) == (
        START.isoformat(),
        (NOW + timedelta(hours=1)).isoformat(),
    )


def test_a_rollback_ends_what_runs_and_all_stay_in_their_order(world: World) -> None:  # noqa: F811
    world.start(experiment(), 1.0)
    end(world, "promoted")
    three = world.release("c")
    looked = read(world.bus, "xray")
    decisions.start(world.bus, looked, experiment(name="again"), {"b": three}, 1.0, [], ME)
    end(world, "rolled back")
    assert [(name, one.outcome) for name, one in held(world).items()] == [
        ("e", "promoted"),
        ("again", "rolled back"),
    ]
