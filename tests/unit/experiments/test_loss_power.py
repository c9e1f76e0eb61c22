"""The planner of sequences: its laws, and its promise by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec import structs

from chexnet.experiments.loss_plan import LossPlan
from chexnet.experiments.loss_power import patients_for_power, power
from chexnet.experiments.statistics.assigned import differences
from chexnet.experiments.statistics.betting import stakes

PLAN = LossPlan(difference=0.05, spread=0.2)


def test_the_number_is_the_smallest_that_is_enough() -> None:
    patients = patients_for_power(PLAN)
    assert power(PLAN, patients) >= 0.8 > power(PLAN, patients - 1)


def test_without_an_effect_the_gate_opens_at_most_as_often_as_half_of_alpha() -> None:
    assert power(structs.replace(PLAN, difference=0.0), 1000) <= 0.025


def test_a_tighter_bound_saves_patients_where_losses_hardly_vary() -> None:
    even = LossPlan(difference=0.005, spread=0.02)
    tight = structs.replace(even, bound=0.1)
    assert patients_for_power(tight) < patients_for_power(even) / 3
    once = (1.96 + 0.84) ** 2 * 16  # Of a test that may look once.
    assert patients_for_power(tight) > once


def test_pairs_save_patients() -> None:
    split = LossPlan(difference=0.05, spread=0.2, stages=((1.0, 0.5),))
    assert patients_for_power(split) > 3 * patients_for_power(PLAN)
    uneven = structs.replace(split, stages=((1.0, 0.1),))
    assert patients_for_power(uneven) > 2 * patients_for_power(split)


def test_a_difference_at_the_margin_can_not_be_planned() -> None:
    with pytest.raises(ValueError, match=r"Received: 0\.05 with a margin of 0\.05\."):
        patients_for_power(structs.replace(PLAN, margin=0.05))


def test_a_plan_that_needs_millions_is_refused() -> None:
    with pytest.raises(ValueError, match="10,000,000 patients"):
        patients_for_power(structs.replace(PLAN, difference=1e-5))


def test_the_gate_opens_as_often_as_planned() -> None:
    patients, runs = patients_for_power(PLAN), 1000
    values = np.random.default_rng(0).normal(0.05, 0.2, (runs, patients)).clip(-1, 1)
    bets = stakes(values, reach=1.0, planned=patients, confidence=0.95)
    opened = (bets.above(0.0) >= bets.rich).any(axis=1).mean()
    assert opened == pytest.approx(0.8, abs=0.05)  # Four Monte-Carlo errors.


def test_the_gate_of_a_canary_opens_as_often_as_planned() -> None:
    shares = (0.01, 0.05, 0.25, 0.5)
    plan = LossPlan(
        difference=0.06, spread=0.15, loss=0.2, stages=tuple((0.25, share) for share in shares)
    )
    patients, runs = patients_for_power(plan), 500
    share = np.broadcast_to(np.repeat(shares, -(-patients // 4))[:patients], (runs, patients))
    rng = np.random.default_rng(1)
    drawn = rng.random(share.shape) < share
    centre = np.where(drawn, 0.17, 0.23)  # Two kinds of patients, as no beta distribution has.
    loss = centre + 0.15 * rng.choice([-1.0, 1.0], share.shape)
    values, reach = differences(loss.clip(0, 1), drawn, share, 1.0)
    bets = stakes(values, reach=reach, planned=patients, confidence=0.95)
    opened = (bets.above(0.0) >= bets.rich).any(axis=1).mean()
    assert opened == pytest.approx(0.8, abs=0.07)  # Four Monte-Carlo errors.


@pytest.mark.parametrize(("share", "difference"), [(0.25, 0.1), (0.05, 0.06)])
def test_the_gate_of_a_small_split_opens_as_often_as_planned(
    share: float, difference: float
) -> None:
    plan = LossPlan(difference=difference, spread=0.266, loss=0.2, stages=((1.0, share),))
    patients, runs = patients_for_power(plan), 2000
    rng = np.random.default_rng(2)
    drawn = rng.random((runs, patients)) < share
    mean = np.where(drawn, 0.2 - difference / 2, 0.2 + difference / 2)
    loss = rng.random(drawn.shape) ** (1 / mean - 1)  # Powers, as the planner does not take them.
    values, reach = differences(loss, drawn, np.full(drawn.shape, share), 1.0)
    bets = stakes(values, reach=reach, planned=patients, confidence=0.95)
    opened = (bets.above(0.0) >= bets.rich).any(axis=1).mean()
    assert opened >= 0.77  # The normal distribution's plans, 421 and 4,547: 0.757 and 0.747.


def test_a_split_that_hardly_grows_needs_as_many_as_one_that_does_not() -> None:
    halves = LossPlan(difference=0.03, spread=0.15, stages=((1.0, 0.5),))
    almost = structs.replace(halves, stages=((0.5, 0.4999), (0.5, 0.5)))
    simulated = patients_for_power(almost)
    assert simulated == pytest.approx(patients_for_power(halves), rel=0.1)  # And rounded up.


def test_a_canary_that_would_be_simulated_for_hours_is_refused() -> None:
    plan = LossPlan(difference=0.001, spread=0.3, stages=((0.5, 0.05), (0.5, 0.5)))
    with pytest.raises(ValueError, match="100,000 patients"):
        patients_for_power(plan)
