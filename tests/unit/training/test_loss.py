"""The loss leaves unknown findings out, and the scores agree with it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chexnet.training.loss import MaskedCrossentropy
from chexnet.training.scoring import Scores, areas, loss, metrics, temperature, thresholds

LOGITS = np.array([[0.0, 2.0], [-1.0, 500.0]], np.float32)
Y = np.array([[1, 255], [0, 1]], np.uint8)
# -log ½ for the first, log(1 + e^-1) for the second; the third is unknown, the fourth costs 0.
BY_HAND = (math.log(2) + math.log(1 + math.exp(-1))) / 3


def test_an_unknown_finding_adds_nothing_to_the_loss() -> None:
    assert float(MaskedCrossentropy()(Y, LOGITS)) == pytest.approx(BY_HAND, rel=1e-6)
    assert loss(LOGITS, Y) == pytest.approx(BY_HAND, rel=1e-6)


def test_a_batch_of_which_nothing_is_known_costs_nothing() -> None:
    assert float(MaskedCrossentropy()(np.full((2, 2), 255, np.uint8), LOGITS)) == 0


def test_an_area_is_over_the_known_and_nan_where_one_side_is_empty() -> None:
    logits = np.array([[3.0, 0], [1, 0], [2, 0], [9, 0]])
    y = np.array([[1, 1], [0, 1], [0, 1], [255, 1]], np.uint8)
    first, second = areas(logits, y)
    assert first == 1
    assert math.isnan(second)


def test_a_threshold_lies_where_sensitivity_and_specificity_are_best_together() -> None:
    probabilities = np.array([[0.9], [0.8], [0.6], [0.3], [0.1]])
    y = np.array([[1], [1], [0], [1], [0]], np.uint8)
    # Above .8: 2/3 found, none wrong: .67. Above .3: all found, half wrong: .5. Between .8 and .6:
    assert thresholds(probabilities, y) == [pytest.approx(0.7)]
    assert thresholds(probabilities, np.ones((5, 1), np.uint8)) == [0.5]


def test_a_metric_counts_patients_and_leaves_out_what_has_too_few() -> None:
    logits = np.array([[2.0, 1], [3, 1], [1, 1], [0, 1]], np.float32)
    y = np.array([[1, 0], [1, 0], [0, 0], [0, 1]], np.uint8)
    units = np.array(["p", "q", "r", "s"])
    told = metrics(Scores(logits, logits), y, units, ("Mass", "Nodule"))
    assert (told["images"], told["units"]) == (4, 4)
    assert told["positive"] == {"Mass": 2, "Nodule": 1}
    assert list(told["auroc"]) == ["Mass"]
    assert told["auroc"]["Mass"]["value"] == told["macro_auroc"]["value"] == 1


def test_a_temperature_is_that_of_the_known_findings() -> None:
    # Said 90 % and 10 %, right 3 times of 4: log 9 / T must be log 3, so T is 2.
    probabilities = np.array([[0.9, 0.1]] * 4 + [[0.5, 0.5]])
    y = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [255, 255]], np.uint8)
    assert temperature(probabilities, y) == pytest.approx(2, rel=1e-3)
    assert temperature(probabilities, np.ones_like(y)) is None
