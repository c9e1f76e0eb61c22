"""DeLong over rows and over patients: by hand, by brute force over all pairs, by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chexnet.evaluation.auroc import auroc as rank_auroc
from chexnet.evaluation.delong import (
    Estimate,
    auroc,
    clustered,
    interval,
    logit_interval,
    mean,
)


def won(a: float, b: float) -> float:
    return 1.0 if a > b else 0.5 if a == b else 0.0


def brute_components(scores, present):
    """Return AUROC, and the share of pairs that each row wins (or, without it, loses)."""
    xs, ys = (
        [s for s, p in zip(scores, present, strict=True) if p],
        [s for s, p in zip(scores, present, strict=True) if not p],
    )
    v10 = [sum(won(x, y) for y in ys) / len(ys) for x in xs]
    v01 = [sum(won(x, y) for x in xs) / len(xs) for y in ys]
    return sum(v10) / len(v10), v10, v01


def brute_delong_covariance(one, other, present) -> float:
    """DeLong 1988, equations 4 to 6: of two AUROCs on the same independent rows."""
    (t1, x1, y1), (t2, x2, y2) = (brute_components(s, present) for s in (one, other))
    m, n = len(x1), len(y1)
    s10 = sum((a - t1) * (b - t2) for a, b in zip(x1, x2, strict=True)) / (m - 1)
    s01 = sum((a - t1) * (b - t2) for a, b in zip(y1, y2, strict=True)) / (n - 1)
    return s10 / m + s01 / n


def brute_obuchowski(scores, present, patient, joint: str) -> float:
    """Obuchowski 1997: S10/m + S01/n + 2 S11/mn; `joint` chooses the factor of S11."""
    theta, v10, v01 = brute_components(scores, present)
    with_it = [p for p, is_present in zip(patient, present, strict=True) if is_present]
    without = [p for p, is_present in zip(patient, present, strict=True) if not is_present]
    m, n, total = len(v10), len(v01), set(patient)

    def pull(who: int, owners, shares) -> float:
        return sum(v - theta for v, owner in zip(shares, owners, strict=True) if owner == who)

    i10, i01, i = len(set(with_it)), len(set(without)), len(total)
    x = {who: pull(who, with_it, v10) for who in total}
    y = {who: pull(who, without, v01) for who in total}
    f10, f01 = i10 / (i10 - 1), i01 / (i01 - 1)
    f11 = i / (i - 1) if joint == "obuchowski" else math.sqrt(f10 * f01)
    s10 = f10 * sum(v * v for v in x.values()) / m**2
    s01 = f01 * sum(v * v for v in y.values()) / n**2
    return s10 + s01 + 2 * f11 * sum(x[who] * y[who] for who in total) / (m * n)


def simulated(rng, patients: int, effect: float = 1.0, images: int = 3):
    """Images of patients: a share of the score is the patient's own, in both models."""
    patient = np.repeat(np.arange(patients), rng.integers(1, images + 1, patients))
    present = rng.random(len(patient)) < 0.4
    own = rng.normal(0, 0.7, patients)[patient]
    hard = rng.normal(0, 0.5, len(patient))
    one, two = (effect * present + own + hard + rng.normal(0, 0.5, len(patient)) for _ in range(2))
    return one, two, present, patient


def test_auroc_and_variance_by_hand() -> None:
    # With: .9 .6 .4, without: .5 .4 .1. Shares won 1, 1, 1/2 and 2/3, 5/6, 1: both mean 5/6.
    # Sample variances 1/12 and 1/36; over 3 rows each: 1/36 + 1/108 = 1/27.
    scores = np.array([0.9, 0.6, 0.4, 0.5, 0.4, 0.1])
    area, variance = auroc(scores, np.arange(6) < 3)
    assert (area, variance) == pytest.approx((5 / 6, 1 / 27), rel=1e-12)


def test_a_patients_rows_on_both_sides_by_hand() -> None:
    # The rows above; patients P: .9 .4-, Q: .6 .5-, R: .4 .1-, so pulls with it 1/6, 1/6, -1/3,
    # without: P 0, Q -1/6, R 1/6; each over 3 rows, factor 3/2 on both sides.
    # Sums P 1/18, Q 0, R -1/18; squares 2/324, times 3/2: 1/108.
    scores = np.array([0.9, 0.6, 0.4, 0.5, 0.4, 0.1])
    estimate = clustered(scores, np.arange(6) < 3, np.array([0, 1, 2, 1, 0, 2]), 3)
    assert (estimate.value, estimate.variance) == pytest.approx((5 / 6, 1 / 108), rel=1e-12)


rows = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6), st.booleans()), min_size=4, max_size=40
).filter(lambda r: 2 <= sum(p for *_, p in r) <= len(r) - 2)


@given(rows)
def test_two_models_on_the_same_rows_have_delongs_covariance(rows) -> None:
    one, two, present = (np.array(column) for column in zip(*rows, strict=True))
    who = np.arange(len(rows))
    a, b = (clustered(s.astype(float), present, who, len(rows)) for s in (one, two))
    assert a.influence @ b.influence == pytest.approx(
        brute_delong_covariance(one, two, present), abs=1e-12
    )


@given(rows, st.randoms(use_true_random=False))
def test_over_patients_it_is_obuchowskis_sum_over_all_pairs(rows, random) -> None:
    scores, _, present = (np.array(column) for column in zip(*rows, strict=True))
    patient = np.array([random.randrange(len(rows)) for _ in rows])
    if min(len(set(patient[present])), len(set(patient[~present]))) < 2:
        return
    estimate = clustered(scores.astype(float), present, patient, len(rows))
    wanted = brute_obuchowski(scores, present, patient, "geometric mean")
    assert estimate.variance == pytest.approx(wanted, abs=1e-12)


@given(rows, st.randoms(use_true_random=False))
def test_the_variance_survives_a_monotone_transform_and_the_complement(rows, random) -> None:
    scores, _, present = (np.array(column) for column in zip(*rows, strict=True))
    patient = np.array([random.randrange(len(rows)) for _ in rows])
    if min(len(set(patient[present])), len(set(patient[~present]))) < 2:
        return
    found = clustered(scores.astype(float), present, patient, len(rows))
    moved = clustered(np.exp(scores / 2), present, patient, len(rows))
    turned = clustered(-scores.astype(float), ~present, patient, len(rows))
    for other in (moved, turned):
        assert other.value == pytest.approx(found.value, abs=1e-12)
        assert other.variance == pytest.approx(found.variance, abs=1e-12)


def test_the_joint_factor_differs_from_obuchowskis_by_little_in_200_patients() -> None:
    scores, _, present, patient = simulated(np.random.default_rng(0), 200)
    estimate = clustered(scores, present, patient, 200)
    published = brute_obuchowski(scores, present, patient, "obuchowski")
    assert estimate.variance == pytest.approx(published, rel=0.01)


def test_reading_every_image_twice_adds_nothing() -> None:
    scores, _, present, patient = simulated(np.random.default_rng(1), 60)
    once = clustered(scores, present, patient, 60)
    twice = clustered(*(np.repeat(column, 2) for column in (scores, present, patient)), 60)
    assert (twice.value, twice.variance) == pytest.approx((once.value, once.variance), rel=1e-12)


def test_over_other_patients_the_variances_of_a_difference_add() -> None:
    rng = np.random.default_rng(2)
    one, _, present_1, patient_1 = simulated(rng, 50)
    two, _, present_2, patient_2 = simulated(rng, 70)
    a = clustered(one, present_1, patient_1, 120)
    b = clustered(two, present_2, patient_2 + 50, 120)
    assert (b - a).variance == pytest.approx(a.variance + b.variance, rel=1e-12)


def test_a_macro_counts_the_covariance_of_its_labels() -> None:
    scores, _, present, patient = simulated(np.random.default_rng(3), 80)
    label = clustered(scores, present, patient, 80)
    assert mean([label, label]).variance == pytest.approx(label.variance, rel=1e-12)


def test_with_one_patient_on_a_side_there_is_no_variance() -> None:
    present = np.array([True, True, False, False])
    with pytest.raises(ValueError, match=r"2 patients with .* Received: 1 and 2\."):
        clustered(np.arange(4.0), present, np.array([0, 0, 1, 2]), 3)


def test_the_logit_interval_by_hand() -> None:
    # Area .8, error .04: on the logit scale log 4 = 1.38629 with .04 / .16 = .25; times 1.959964.
    estimate = Estimate(0.8, np.array([0.04]), 50)
    found = logit_interval(estimate, 0.95)
    assert (found.low, found.high) == pytest.approx(
        (1 / (1 + math.exp(-(1.3862944 - 0.4899910))), 1 / (1 + math.exp(-1.8762854))), rel=1e-6
    )


def test_a_perfect_auroc_of_20_patients_still_has_a_lower_bound() -> None:
    found = logit_interval(Estimate(1.0, np.zeros(40), 20), 0.95)
    # 20 independent pairs in order: the bound solves p ** 20 = .025.
    assert found.low**20 == pytest.approx(0.025)
    assert found.high == 1.0


def test_scores_that_are_all_the_same_leave_it_open_which_is_higher() -> None:
    present = np.array([True, True, False, False])
    constant = clustered(np.full(4, 0.3), present, np.arange(4), 4)
    found = logit_interval(constant, 0.95)
    # One of two pairs won: Beta(1, 2) has (1 - x)^2 above x, and that is .975 at the bound.
    assert found.value == 0.5
    assert (1 - found.low) ** 2 == pytest.approx(0.975)
    assert found.high == pytest.approx(1 - found.low)


def test_a_difference_is_symmetric_around_its_value() -> None:
    found = interval(Estimate(0.05, np.array([0.02]), 10), 0.95)
    assert (found.low, found.high) == pytest.approx((0.0108007, 0.0891993), abs=1e-6)


@pytest.mark.parametrize("paired", [True, False])
def test_intervals_cover_the_true_difference_with_several_images_a_patient(paired: bool) -> None:
    rng = np.random.default_rng(4)
    runs, covered, patients = 1000, 0, 120
    for _ in range(runs):
        one, two, present, patient = simulated(rng, patients)
        a = clustered(one, present, patient, 2 * patients)
        if paired:
            b = clustered(two, present, patient, 2 * patients)
        else:
            other, _, present, patient = simulated(rng, patients)
            b = clustered(other, present, patient + patients, 2 * patients)
        found = interval(b - a, 0.95)
        covered += found.low <= 0 <= found.high  # Both models are equally good.
    # Three Monte-Carlo errors of 1,000 runs are 2.1 points.
    assert covered / runs == pytest.approx(0.95, abs=0.021)


def test_the_area_is_the_rank_statistic() -> None:
    scores, _, present, patient = simulated(np.random.default_rng(5), 40)
    assert clustered(scores, present, patient, 40).value == pytest.approx(
        rank_auroc(scores, present), rel=1e-12
    )
