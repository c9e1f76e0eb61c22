"""The planner of sequences: its laws, and its promise by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec import structs

from chexnet.experiments.loss_power import LossPlan, patients_for_power, power
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
