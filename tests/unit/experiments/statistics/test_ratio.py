"""The sample-ratio test: by hand, and at its level under continuous looks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta

from chexnet.experiments.statistics.ratio import WEIGHT, Stage, evidence, ratio

HALVES = {"champion": 0.5, "b": 0.5}


def stage(champion: int, b: int, shares=HALVES) -> Stage:
    return Stage(exposure=0.5, shares=shares, patients={"champion": champion, "b": b})


def test_the_evidence_is_the_integral_of_the_likelihood_over_the_prior() -> None:
    shares, (n, m) = np.array([0.3, 0.7]), (40, 50)
    prior = beta(WEIGHT * 0.3, WEIGHT * 0.7)
    wanted, _ = quad(
        lambda q: prior.pdf(q) * (q / 0.3) ** n * ((1 - q) / 0.7) ** m, 0, 1, points=[0.35]
    )
    assert evidence(np.array([n, m]), shares) == pytest.approx(math.log(wanted), rel=1e-6)


def test_nobody_is_no_evidence_and_equal_shares_are_none_against() -> None:
    assert ratio([stage(0, 0)], 0.01).p == 1
    assert ratio([stage(500, 500)], 0.01).p == 1


def test_a_tenth_of_one_arm_lost_is_an_alarm() -> None:
    found = ratio([stage(5000, 4500)], 0.01)
    assert found.alarm
    assert found.p < 1e-4


def test_stages_are_held_to_their_own_shares() -> None:
    small, large = {"champion": 0.9, "b": 0.1}, HALVES
    assert not ratio([stage(900, 100, small), stage(500, 500, large)], 0.01).alarm
    assert ratio([stage(500, 500, small), stage(900, 100, large)], 0.01).alarm


def test_evidence_of_stages_multiplies() -> None:
    one, two = (ratio([stage(60, 20 * n)], 0.01).p for n in (1, 1))
    assert ratio([stage(60, 20), stage(60, 20)], 0.01).p == pytest.approx(one * two)


def test_shares_that_do_not_sum_to_one_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must sum to 1"):
        ratio([stage(1, 1, {"champion": 0.5, "b": 0.4})], 0.01)


def test_three_arms_watched_after_each_patient_alarm_at_most_at_the_level() -> None:
    shares = np.array([0.5, 0.3, 0.2])
    drawn = np.random.default_rng(0).choice(3, (1000, 1000), p=shares)
    counts = np.stack([np.cumsum(drawn == arm, axis=1) for arm in range(3)], axis=-1)
    assert (evidence(counts, shares).max(axis=1) >= math.log(20)).mean() <= 0.05
