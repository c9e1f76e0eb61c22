"""What an answer says by its card."""

from __future__ import annotations

import numpy as np
import pytest

from chexnet.evaluation import calibration
from chexnet.messages import CHAMPION, Prediction, Tensor
from chexnet.runtime.outputs import outputs, scaled, unlike
from tests.unit.experiments import records
from tests.unit.ui.stack import a_card


def prediction(features: list[float] | None = None, **said: float) -> Prediction:
    packed = None if features is None else Tensor.of(np.array(features))
    return records.prediction("i", "p", CHAMPION, said, version=3, features=packed)


def test_without_a_card_the_record_s_own_figures_are_told() -> None:
    fast, slow = outputs(prediction(Fast=0.1, Slow=0.9), None)
    assert (fast.label, fast.probability, fast.threshold, fast.above) == ("Fast", 0.1, None, False)
    assert slow.probability == 0.9


def test_a_temperature_of_two_takes_the_root_of_the_odds() -> None:
    assert scaled(0.9, 2.0) == pytest.approx(3 / 4)  # Odds of 9 become odds of 3.
    assert scaled(0.5, 7.0) == pytest.approx(0.5)


def test_one_image_is_scaled_as_the_evaluation_scales_many() -> None:
    values = np.array([0.0, 1e-9, 0.2, 0.7, 1.0])
    by_one = [scaled(float(value), 1.7) for value in values]
    assert by_one == pytest.approx(calibration.scaled(values, 1.7))


def test_an_image_is_unlike_where_it_is_farther_off_than_one_in_a_hundred() -> None:
    # Standardised (3 - 1) / 1 = 2 and (4 - 2) / 2 = 1: root of (4 + 1) / 2 = 1.58.
    said = prediction([3.0, 4.0], Fast=0.1)
    usual = {"feature_mean": (1.0, 2.0), "feature_std": (1.0, 2.0)}
    assert unlike(said, a_card(feature_distance=1.5, **usual)) is True
    assert unlike(said, a_card(feature_distance=1.6, **usual)) is False


def test_where_nobody_can_tell_nothing_is_said() -> None:
    assert unlike(prediction([1.0], Fast=0.1), a_card(feature_distance=None)) is None
    assert unlike(prediction(None, Fast=0.1), a_card(feature_distance=1.0)) is None
    assert unlike(prediction([1.0], Fast=0.1), None) is None
