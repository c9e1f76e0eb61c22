"""Holm, worklist weights and readers' agreement: published examples and other libraries' values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import cohen_kappa_score

from chexnet.evaluation.delong import Estimate
from chexnet.experiments.statistics.agreement import cohen, fleiss
from chexnet.experiments.statistics.holm import holm, p_value
from chexnet.experiments.statistics.weights import effective, weighted, weights


def test_holm_by_hand() -> None:
    # .01 * 4; max(.04, .02 * 3); max(.06, .03 * 2); .04 * 1 is raised to the one before.
    found = holm({"d": 0.04, "a": 0.01, "c": 0.03, "b": 0.02})
    assert found == pytest.approx({"d": 0.06, "a": 0.04, "c": 0.06, "b": 0.06})
    assert list(found) == ["d", "a", "c", "b"]
    assert holm({"a": 0.7, "b": 0.8}) == {"a": 1.0, "b": 1.0}


def test_holm_keeps_its_level_where_half_of_the_labels_differ() -> None:
    rng = np.random.default_rng(0)
    wrong = 0
    for z in rng.standard_normal((2000, 8)) + np.repeat([0, 4], 4):
        adjusted = holm({str(n): 2 * norm.sf(abs(value)) for n, value in enumerate(z)})
        wrong += any(adjusted[str(n)] <= 0.05 for n in range(4))
    assert wrong / 2000 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)


def test_p_of_a_difference() -> None:
    estimate = Estimate(0.03, np.array([0.006, 0.008]), 2)  # Standard error 0.01.
    assert p_value(estimate, 0.0104) == pytest.approx(2 * norm.sf(1.96))
    same = Estimate(0.0, np.zeros(2), 2)
    assert (p_value(same, 0.0), p_value(same, -0.01)) == (1.0, 0.0)


def test_equal_weights_are_worth_their_number() -> None:
    assert effective(np.full(30, 5.0)) == pytest.approx(30)
    assert effective(np.array([3.0, 1.0])) == pytest.approx(16 / 10)


def test_weights_undo_what_the_worklist_preferred() -> None:
    # Images of value 1 are read ten times as often: of all images a fifth have it.
    rng = np.random.default_rng(0)
    value = (rng.random(20_000) < 0.2).astype(float)
    propensity = np.where(value > 0, 1.0, 0.1)
    seen = rng.random(20_000) < propensity
    patient = np.arange(seen.sum())
    given = value[seen], propensity[seen], patient
    assert value[seen].mean() > 0.6
    found = weighted(*given, clip=10, confidence=0.999)
    assert found.mean.low < 0.2 < found.mean.high
    assert found.clipped == 0
    assert found.effective < found.reads / 2
    cut = weighted(*given, clip=5, confidence=0.999)
    assert cut.clipped == (propensity[seen] < 0.2).sum()
    assert cut.mean.value > found.mean.high  # What clipping costs, and why it is shown.


def test_all_read_with_the_same_propensity_is_the_plain_mean() -> None:
    values = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    found = weighted(values, np.full(5, 0.5), np.arange(5), clip=10, confidence=0.95)
    half = norm.ppf(0.975) * values.std(ddof=1) / math.sqrt(5)
    assert (found.mean.value, found.mean.low) == pytest.approx((0.6, 0.6 - half))


def test_a_propensity_below_a_tenth_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.1 to 1\. Received: 0\.05 to 1\."):
        weights(np.array([1.0, 0.05]), 10)


def test_cohen_as_scikit_learn_has_it() -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(0, 3, 200)
    second = np.where(rng.random(200) < 0.6, first, rng.integers(0, 3, 200))
    assert cohen(first, second) == pytest.approx(cohen_kappa_score(first, second), rel=1e-12)


def test_fleiss_published_example() -> None:
    # 10 subjects, 14 raters, 5 categories; kappa 0.210, as worked out at
    # en.wikipedia.org/wiki/Fleiss'_kappa.
    table = """0 0 0 0 14/0 2 6 4 2/0 0 3 5 6/0 3 9 2 0/2 2 8 1 1/7 7 0 0 0/3 2 6 3 0/2 5 3 2 2
    /6 5 2 1 0/0 2 2 3 7"""
    counts = np.array([[int(n) for n in row.split()] for row in table.split("/")])
    assert fleiss(counts) == pytest.approx(0.210, abs=5e-4)


def test_one_read_images_say_nothing_of_agreement() -> None:
    counts = np.array([[2, 0], [0, 2], [1, 1]])
    assert fleiss(np.vstack([counts, [[1, 0]] * 50])) == fleiss(counts)
    assert math.isnan(fleiss(np.array([[1, 0]])))
    assert math.isnan(cohen(np.zeros(3, int), np.zeros(3, int)))
