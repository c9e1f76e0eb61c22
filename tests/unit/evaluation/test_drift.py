"""Drift: against values worked out by hand, and against what chance gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2, ks_2samp

from chexnet.evaluation import drift

RANDOM = np.random.default_rng(5)
FEATURES = RANDOM.normal(3, 2, (5000, 16))
MEAN, STD = FEATURES.mean(axis=0), FEATURES.std(axis=0)
SCORES = RANDOM.beta(1, 9, (5000, 3))


def test_the_index_is_the_sum_that_it_says() -> None:
    usual = np.arange(1, 10)[None] / 10
    scores = np.repeat([0.05, 0.95], [75, 25])[:, None]
    found, more = drift.stability(scores, usual)
    p = np.array([75.5, *[0.5] * 8, 25.5]) / 105
    assert found[0] == pytest.approx(sum((x - 0.1) * np.log(x / 0.1) for x in p))
    assert more[0]


def test_scores_of_the_same_kind_are_no_drift_and_others_are() -> None:
    usual = drift.deciles(SCORES)
    alarms = [drift.stability(RANDOM.beta(1, 9, (300, 3)), usual)[1].any() for _ in range(300)]
    assert sum(alarms) <= 1
    index, more = drift.stability(RANDOM.beta(3, 9, (300, 3)), usual)
    assert (index > 0.25).all()
    assert more.all()
    assert ks_2samp(SCORES[:, 0], RANDOM.beta(3, 9, 300)).pvalue < drift.NOISE


def test_few_images_have_rough_deciles_and_are_no_drift_of_others() -> None:
    alarms, exact = 0, 0
    for _ in range(200):
        usual, scores = drift.deciles(RANDOM.beta(1, 9, (64, 3))), RANDOM.beta(1, 9, (500, 3))
        alarms += drift.stability(scores, usual, 64)[1].any()
        exact += drift.stability(scores, usual)[1].any()
    assert alarms <= 1
    assert exact > 50  # What the correction is for.
    assert drift.stability(np.full((100, 3), 0.9), usual, 64)[1].all()


@given(st.integers(1, 5000), st.floats(0, 1))
def test_a_share_is_at_least_as_the_interval_of_wilson_says(count: int, share: float) -> None:
    hits = round(share * count)
    interval = binomtest(hits, count).proportion_ci(1 - 2 * drift.NOISE, method="wilson")
    assert drift.at_least(hits, count) == pytest.approx(interval.low, abs=1e-9)


@pytest.mark.parametrize("beyond", [0.05, 1e-4, 1e-6])
def test_the_quantile_is_that_of_the_chi_squared_distribution(beyond: float) -> None:
    assert drift._chi_squared(beyond, 9) == pytest.approx(chi2.isf(beyond, 9), rel=0.03)


def test_ties_at_a_decile_are_no_drift_by_themselves() -> None:
    index, _ = drift.stability(np.full((50, 1), 0.5), drift.deciles(np.full((50, 1), 0.5)))
    assert np.isfinite(index).all()


@pytest.mark.parametrize("moved", [0.0, 0.5, 2.0])
def test_a_shift_is_measured_in_deviations_of_an_image(moved: float) -> None:
    few = RANDOM.normal(3 + 2 * moved, 2, (200, 16))
    assert drift.shift(few, MEAN, STD) == pytest.approx(moved, abs=0.1)


def test_one_image_in_a_hundred_is_far_until_images_are_of_another_kind() -> None:
    far = np.quantile(drift.distances(FEATURES, MEAN, STD), drift.FAR)
    others = RANDOM.normal(3, 5, (200, 16))
    assert (drift.distances(others, MEAN, STD) > far).mean() > 0.9


def test_a_feature_that_never_varied_does_not_divide_by_zero() -> None:
    assert np.isfinite(drift.shift(FEATURES, MEAN, np.zeros(16)))


def test_calibrated_probabilities_have_a_standard_normal_z() -> None:
    z = []
    for _ in range(2000):
        p = RANDOM.uniform(0.02, 0.98, 200)
        z.append(drift.miscalibration(p, RANDOM.uniform(size=200) < p))
    assert np.mean(z) == pytest.approx(0, abs=0.1)
    assert np.std(z) == pytest.approx(1, abs=0.06)


def test_probabilities_that_are_too_sure_are_found() -> None:
    p = RANDOM.uniform(0.02, 0.98, 500)
    sure = np.where(p > 0.5, 1 - (1 - p) ** 3, p**3)
    assert drift.miscalibration(sure, RANDOM.uniform(size=500) < p) > 4


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 2**30))
def test_z_is_a_number_for_all_probabilities(scores: list[float], seed: int) -> None:
    p = np.array(scores)
    present = np.random.default_rng(seed).uniform(size=len(p)) < 0.5
    assert not np.isnan(drift.miscalibration(p, present))
