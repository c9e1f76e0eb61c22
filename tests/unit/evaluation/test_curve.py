"""What is read from a curve: by hand, by scikit-learn, and under changes that must not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, roc_curve

from chexnet.evaluation.curve import curve

cases = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=2, max_size=60).filter(
    lambda rows: len({present for _, present in rows}) == 2
)


def columns(rows: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([score / 8 for score, _ in rows]), np.array([present for _, present in rows])


def test_average_precision_by_hand() -> None:
    # .9+ .8- .6+ .6- .2+: at .9 precision 1/1, at .6 2/4, at .2 3/5, each for one third.
    found = curve(np.array([0.9, 0.8, 0.6, 0.6, 0.2]), np.array([True, False, True, False, True]))
    assert found.average_precision() == pytest.approx((1 + 1 / 2 + 3 / 5) / 3)


@given(cases)
def test_average_precision_is_scikit_learns_also_with_ties(rows) -> None:
    scores, present = columns(rows)
    wanted = average_precision_score(present, scores)
    assert curve(scores, present).average_precision() == pytest.approx(wanted, abs=1e-12)


@given(cases)
def test_the_curve_is_scikit_learns(rows) -> None:
    scores, present = columns(rows)
    found = curve(scores, present)
    fpr, tpr, thresholds = roc_curve(present, scores, drop_intermediate=False)
    np.testing.assert_allclose(found.thresholds, thresholds[1:])
    np.testing.assert_allclose(found.sensitivity, tpr[1:])
    np.testing.assert_allclose(found.specificity, 1 - fpr[1:])


@given(cases)
def test_average_precision_survives_a_monotone_transform(rows) -> None:
    scores, present = columns(rows)
    wanted = curve(scores, present).average_precision()
    assert curve(np.exp(3 * scores), present).average_precision() == wanted


@given(cases)
def test_no_threshold_beats_the_chosen_ones(rows) -> None:
    scores, present = columns(rows)
    found = curve(scores, present)

    def at(threshold: float) -> tuple[float, float, float]:
        called = scores >= threshold
        sensitivity, specificity = called[present].mean(), (~called)[~present].mean()
        return sensitivity, specificity, float(f1_score(present, called))

    every = [at(threshold) for threshold in found.thresholds]
    sensitivity, specificity, _ = at(found.youden())
    assert sensitivity + specificity == pytest.approx(max(a + b for a, b, _ in every))
    assert at(found.best_f1())[2] == pytest.approx(max(f1 for *_, f1 in every))


@given(cases, st.sampled_from([0.3, 0.8, 0.9, 1.0]))
def test_a_wanted_sensitivity_costs_as_little_specificity_as_it_can(rows, wanted) -> None:
    scores, present = columns(rows)
    found = curve(scores, present)
    called = scores >= found.at_sensitivity(wanted)
    assert called[present].mean() >= wanted
    enough = found.specificity[found.sensitivity >= wanted]
    assert (~called)[~present].mean() == pytest.approx(enough.max())


def test_a_threshold_between_neighbouring_floats_calls_only_the_higher_present() -> None:
    low = 0.3
    high = float(np.nextafter(low, 1))
    found = curve(np.array([low, high]), np.array([False, True]))
    assert low < found.youden() <= high


@pytest.mark.parametrize(("present", "side"), [(True, "without"), (False, "with")])
def test_one_side_alone_has_no_curve(present: bool, side: str) -> None:
    with pytest.raises(ValueError, match=f"Received: none {side} it"):
        curve(np.array([0.1, 0.2]), np.array([present, present]))
