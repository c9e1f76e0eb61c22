"""Shares with patients as clusters: by hand, and their intervals by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from chexnet.evaluation.means import proportion


def test_the_interval_by_hand() -> None:
    # Patients hit 2 of 2, 0 of 1, 0 of 1: share 1/2; pulls 1/4, -1/8, -1/8, times sqrt(3/2).
    # Variance 3/2 (1/16 + 2/64) = 9/64; on the logit scale the error is (3/8) / (1/4) = 3/2.
    found = proportion(np.array([True, True, False, False]), np.array([4, 4, 7, 9]), 0.95)
    bound = 1 / (1 + np.exp(1.959964 * 1.5))
    assert (found.value, found.low, found.high) == pytest.approx((0.5, bound, 1 - bound), rel=1e-5)


def test_it_covers_the_share_of_patients_with_several_images() -> None:
    rng = np.random.default_rng(0)
    covered, runs = 0, 1000
    for _ in range(runs):
        patient = np.repeat(np.arange(150), rng.integers(1, 5, 150))
        tendency = rng.beta(1.4, 0.6, 150)[patient]  # Mean .7: a patient's images agree.
        found = proportion(rng.random(len(patient)) < tendency, patient, 0.95)
        covered += found.low <= 0.7 <= found.high
    assert covered / runs == pytest.approx(0.95, abs=0.021)


def test_all_hit_still_has_a_lower_bound_of_so_many_patients() -> None:
    found = proportion(np.ones(40, bool), np.arange(40) // 2, 0.95)
    assert found.low**20 == pytest.approx(0.025)
    assert found.high == 1


def test_one_patient_has_no_interval() -> None:
    with pytest.raises(ValueError, match=r"2 patients\. Received: 1\."):
        proportion(np.array([True, False]), np.array([3, 3]), 0.95)
