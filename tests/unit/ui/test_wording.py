"""What is said of an output in words."""

from __future__ import annotations

import numpy as np
import pytest

from chexnet.evaluation import calibration
from chexnet.messages import CHAMPION, Prediction, Tensor
from chexnet.ui.caseview import outputs_of
from chexnet.ui.wording import in_words, scaled, unlike, word_scale
from tests.unit.experiments import records
from tests.unit.ui.stack import a_card


def prediction(features: list[float] | None = None, **said: float) -> Prediction:
    packed = None if features is None else Tensor.of(np.array(features))
    return records.prediction("i", "p", CHAMPION, said, version=3, features=packed)


@pytest.mark.parametrize(
    ("percent", "word"),
    [(0, "unlikely"), (10, "unlikely"), (25, "less likely"), (50, "possible"), (75, "probable")],
)
def test_the_words_are_those_of_the_lexicon_at_its_numbers(percent, word) -> None:
    assert in_words(percent / 100) == word


def test_the_last_word_goes_to_one() -> None:
    assert in_words(0.91) == in_words(1.0) == "consistent with it"


def test_what_the_words_stand_for_is_told_with_its_bounds() -> None:
    assert "unlikely to 10 %, less likely to 37.5 %" in word_scale()
    assert word_scale().endswith("consistent with it above.")


def test_a_temperature_of_two_takes_the_root_of_the_odds() -> None:
    assert scaled(0.9, 2.0) == pytest.approx(3 / 4)  # Odds of 9 become odds of 3.
    assert scaled(0.5, 7.0) == pytest.approx(0.5)


def test_one_image_is_scaled_as_the_evaluation_scales_many() -> None:
    values = np.array([0.0, 1e-9, 0.2, 0.7, 1.0])
    by_one = [scaled(float(value), 1.7) for value in values]
    assert by_one == pytest.approx(calibration.scaled(values, 1.7))


def test_a_calibrated_output_has_words_and_what_is_above_its_threshold_stays_above() -> None:
    card = a_card(temperature=2.0, thresholds={"Fast": 0.5, "Irregular": 0.9, "Dropout": 0.91})
    fast, irregular, dropout = outputs_of(prediction(Fast=0.1, Irregular=0.9, Dropout=0.9), card)
    assert (fast["word"], irregular["word"]) == ("less likely", "probable")  # 1/4, 3/4.
    assert (irregular["probability"], irregular["threshold"]) == pytest.approx((0.75, 0.75))
    assert [one["above"] for one in (fast, irregular, dropout)] == [False, True, False]


def test_an_output_that_is_not_calibrated_has_no_words() -> None:
    (fast,) = outputs_of(prediction(Fast=0.1), a_card(temperature=None))
    assert (fast["word"], fast["probability"]) == ("", 0.1)


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
