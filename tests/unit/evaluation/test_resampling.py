"""The fast bootstrap gives what taking the drawn patients' images one by one gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from chexnet.evaluation.auroc import auroc
from chexnet.evaluation.bootstrap import bootstrap, percentiles
from chexnet.evaluation.delong import clustered, logit_interval
from chexnet.evaluation.resampling import draws, ranking
from chexnet.evaluation.scored import Finding


def finding(scores, present, patient) -> Finding:
    patient = np.asarray(patient)
    return Finding("mass", np.asarray(scores), np.asarray(present), patient, int(patient.max()) + 1)


def simulated(rng: np.random.Generator, patients: int) -> Finding:
    patient = np.repeat(np.arange(patients), rng.integers(1, 4, patients))
    present = rng.random(len(patient)) < 0.3
    own = rng.normal(0, 0.7, patients)[patient]
    scores = 1 / (1 + np.exp(-(present + own + rng.normal(0, 0.6, len(patient)))))
    return finding(scores, present, patient)


rows = st.lists(
    st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 6)), min_size=2, max_size=40
).filter(lambda r: len({present for _, present, _ in r}) == 2)


@given(rows, st.integers(0, 1000))
def test_each_resample_has_scikit_learns_auroc_and_average_precision(given_rows, seed) -> None:
    scores, present, patient = (np.array(column) for column in zip(*given_rows, strict=True))
    case = finding(scores / 5, present, patient)
    drawn = next(draws(case.patients, 5, seed))
    areas, averages = ranking(case).measure(drawn)
    for column in range(5):
        taken = np.repeat(np.arange(len(scores)), drawn[patient, column].astype(int))
        if len(set(present[taken])) < 2:
            assert np.isnan(areas[column])
            assert np.isnan(averages[column])
            continue
        area = roc_auc_score(present[taken], scores[taken])
        average = average_precision_score(present[taken], scores[taken])
        assert areas[column] == pytest.approx(area, abs=1e-12)
        assert averages[column] == pytest.approx(average, abs=1e-6)  # float32 within.


def test_large_counts_stay_exact() -> None:
    rng = np.random.default_rng(0)
    case = finding(rng.random(40_000), rng.random(40_000) < 0.2, np.arange(40_000) // 4)
    areas, _ = ranking(case).measure(np.ones((10_000, 1), np.float32))
    assert areas[0] == pytest.approx(auroc(case.scores, case.present), abs=1e-14)


def test_patients_are_drawn_as_often_as_there_are_patients() -> None:
    counts = np.concatenate(list(draws(50, 1000, seed=1)), axis=1)
    assert counts.shape == (50, 1000)
    assert (counts.sum(axis=0) == 50).all()
    # The count of a patient is binomial(50, 1/50): mean 1, variance .98; 50,000 of them.
    assert counts.var() == pytest.approx(0.98, abs=0.03)


def test_the_same_seed_draws_the_same_whatever_follows() -> None:
    few, many = (np.concatenate(list(draws(9, n, seed=2)), axis=1) for n in (40, 90))
    np.testing.assert_array_equal(few, many[:, :40])


def test_the_interval_is_that_of_the_plain_bootstrap_and_near_the_formula() -> None:
    case = simulated(np.random.default_rng(3), 250)
    rank = ranking(case)
    found = np.concatenate([rank.measure(drawn)[0] for drawn in draws(case.patients, 4000, 0)])
    low, high = percentiles(found, 0.95)
    plain = bootstrap(lambda r: auroc(case.scores[r], case.present[r]), case.patient, rounds=4000)
    formula = logit_interval(
        clustered(case.scores, case.present, case.patient, case.patients), 0.95
    )
    width = formula.high - formula.low
    assert (low, high) == pytest.approx(plain, abs=0.06 * width)
    assert (low, high) == pytest.approx((formula.low, formula.high), abs=0.12 * width)


def test_a_statistic_that_seldom_exists_is_named() -> None:
    with pytest.raises(ValueError, match=r"Received: 1 of 4\. Collect more"):
        percentiles(np.array([np.nan, np.nan, np.nan, 1.0]), 0.95)


def test_one_side_alone_has_no_ranking() -> None:
    with pytest.raises(ValueError, match="with the finding and images without"):
        ranking(finding([0.1, 0.2], [True, True], [0, 1]))
