"""The bootstrap resamples patients, and agrees with the formula."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chexnet.evaluation.auroc import auroc
from chexnet.evaluation.bootstrap import bootstrap
from chexnet.evaluation.delong import clustered, logit_interval

PATIENT = np.array([5, 5, 9, 9, 9])


def test_all_rows_of_a_drawn_patient_come_together() -> None:
    drawn: list[np.ndarray] = []

    def note(rows: np.ndarray) -> float:
        drawn.append(rows)
        return 0.0

    bootstrap(note, PATIENT, rounds=50)
    for rows in drawn:
        counts = np.bincount(rows, minlength=5)
        assert counts[0] == counts[1]
        assert counts[2] == counts[3] == counts[4]
        assert counts[0] + counts[2] == 2


def test_the_interval_of_a_mean_is_the_normal_one() -> None:
    # 400 patients of mean 0 and variance 1: the standard error is 1/20.
    values = np.random.default_rng(0).standard_normal(400)
    values = (values - values.mean()) / values.std()
    low, high = bootstrap(lambda rows: float(values[rows].mean()), np.arange(400), seed=1)
    assert (low, high) == pytest.approx((-0.098, 0.098), abs=0.01)


def test_the_same_seed_gives_the_same_interval() -> None:
    def first(rows: np.ndarray) -> float:
        return float(rows[0])

    assert bootstrap(first, PATIENT, seed=3) == bootstrap(first, PATIENT, seed=3)


def test_a_statistic_that_seldom_exists_has_no_interval() -> None:
    with pytest.raises(ValueError, match=r"Received: 0 of 100\. Collect more"):
        bootstrap(lambda _: math.nan, PATIENT, rounds=100)


def test_it_agrees_with_the_cluster_variance_of_an_auroc() -> None:
    rng = np.random.default_rng(2)
    patient = np.repeat(np.arange(300), 2)
    present = rng.random(600) < 0.4
    scores = present + rng.normal(0, 0.8, 300)[patient] + rng.normal(0, 0.6, 600)
    low, high = bootstrap(lambda rows: auroc(scores[rows], present[rows]), patient)
    formula = logit_interval(clustered(scores, present, patient, 300), 0.95)
    width = formula.high - formula.low
    assert (low, high) == pytest.approx((formula.low, formula.high), abs=0.12 * width)
