"""The planner: its formula by hand, and its promises by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from msgspec import structs
from scipy.stats import norm

from chexnet.evaluation.delong import clustered, interval
from chexnet.experiments.power import (
    Plan,
    cases_for_labels,
    cases_for_power,
    cases_for_width,
    power,
    standard_error,
    variance,
)

ONE = Plan(champion=0.75, challenger=0.83, prevalence=[0.3], arm_correlation=0.0)


def test_without_an_effect_the_variance_is_that_of_ranks() -> None:
    # Mann and Whitney 1947: (m + n + 1) / (12 m n).
    assert variance(0.5, 10, 20) == pytest.approx(31 / (12 * 10 * 20), rel=1e-12)


def test_two_wins_over_one_row_by_integration() -> None:
    # Scores N(d, 1) and N(0, 1): integrate P(two with it exceed y) = Phi(d - y)^2 over y.
    y = np.linspace(-9, 9, 20_001)
    both = np.trapezoid(norm.cdf(math.sqrt(2) * norm.ppf(0.8) - y) ** 2 * norm.pdf(y), y)
    wanted = (0.8 * 0.2 + 28 * (both - 0.8**2)) / 200
    assert variance(0.8, 10, 20) == pytest.approx(wanted, rel=1e-6)


def test_half_the_width_needs_four_times_the_cases() -> None:
    wide, narrow = (cases_for_width(ONE, half) for half in (0.04, 0.02))
    assert narrow / wide == pytest.approx(4, rel=0.02)


def test_the_number_is_the_smallest_that_is_enough() -> None:
    cases = cases_for_power(ONE)
    assert power(ONE, cases) >= 0.8 > power(ONE, cases - 1)


def test_pairs_that_agree_save_cases_and_repeat_images_of_a_patient_cost_some() -> None:
    paired = structs.replace(ONE, arm_correlation=0.5)
    assert cases_for_power(paired) == pytest.approx(cases_for_power(ONE) / 2, rel=0.05)
    # 3 images with correlation .5 count as 1 / (1 + 2 * .5): half.
    repeated = structs.replace(ONE, images=3.0)
    assert cases_for_power(repeated) == pytest.approx(cases_for_power(ONE) * 2, rel=0.01)


def test_independent_labels_share_the_work() -> None:
    four = structs.replace(ONE, prevalence=[0.3] * 4, label_correlation=0.0)
    assert standard_error(four, 400) == pytest.approx(standard_error(ONE, 400) / 2, rel=1e-12)


def test_all_labels_keep_enough_patients_with_the_wanted_certainty() -> None:
    plan = structs.replace(ONE, prevalence=[0.13] * 14)
    cases = cases_for_labels(plan, certainty=0.9)
    found = np.random.default_rng(0).binomial(cases, 0.13, (20_000, 14))
    assert (found >= 10).all(axis=1).mean() == pytest.approx(0.9, abs=0.02)


def test_a_difference_below_the_margin_can_not_be_planned() -> None:
    with pytest.raises(ValueError, match=r"exceed the margin\. Received: 0\.080 with .* 0\.1\."):
        cases_for_power(structs.replace(ONE, margin=0.1))


def test_a_plan_that_needs_millions_is_refused() -> None:
    with pytest.raises(ValueError, match="10,000,000 cases"):
        cases_for_width(ONE, 1e-6)


def test_the_gate_opens_as_often_as_planned() -> None:
    rng = np.random.default_rng(1)
    cases, runs, opened, estimates = cases_for_power(ONE), 1000, 0, []
    # Normal scores a distance d apart have the AUROC Phi(d / sqrt 2).
    distances = [math.sqrt(2) * z for z in (0.6744898, 0.9541653)]  # .75 and .83.
    for _ in range(runs):
        sides = []
        for distance in distances:  # Independent scores: the plan's arm_correlation is 0.
            present = rng.random(cases) < 0.3
            scores = distance * present + rng.standard_normal(cases)
            sides.append((scores, present))
        a, b = (clustered(*side, np.arange(cases), cases) for side in sides)
        b = structs.replace(b, influence=np.concatenate([np.zeros(cases), b.influence]))
        a = structs.replace(a, influence=np.concatenate([a.influence, np.zeros(cases)]))
        found = interval(b - a, 0.95)
        opened += found.low > 0
        estimates.append(found.value)
    assert opened / runs == pytest.approx(0.8, abs=0.05)  # Four Monte-Carlo errors.
    assert np.std(estimates) == pytest.approx(standard_error(ONE, cases), rel=0.1)
