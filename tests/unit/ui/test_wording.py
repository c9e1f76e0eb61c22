"""What is said of an output in words."""

from __future__ import annotations

import pytest

from chexnet.messages import CHAMPION, Prediction
from chexnet.ui.caseview import outputs_of
from chexnet.ui.wording import in_words, word_scale
from tests.unit.experiments import records
from tests.unit.ui.stack import a_card


def prediction(**said: float) -> Prediction:
    return records.prediction("i", "p", CHAMPION, said, version=3)


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


def test_a_calibrated_output_has_words_and_what_is_above_its_threshold_stays_above() -> None:
    card = a_card(temperature=2.0, thresholds={"Fast": 0.5, "Irregular": 0.9, "Dropout": 0.91})
    fast, irregular, dropout = outputs_of(prediction(Fast=0.1, Irregular=0.9, Dropout=0.9), card)
    assert (fast["word"], irregular["word"]) == ("less likely", "probable")  # 1/4, 3/4.
    assert (irregular["probability"], irregular["threshold"]) == pytest.approx((0.75, 0.75))
    assert [one["above"] for one in (fast, irregular, dropout)] == [False, True, False]


def test_an_output_that_is_not_calibrated_has_no_words() -> None:
    (fast,) = outputs_of(prediction(Fast=0.1), a_card(temperature=None))
    assert (fast["word"], fast["probability"]) == ("", 0.1)
