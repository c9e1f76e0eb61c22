"""The statistics on 22,433 published predictions, against independent code and plain loops."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs
from scipy.stats import norm
from sklearn.metrics import brier_score_loss, roc_auc_score

from chexnet.experiments.cases import gather
from chexnet.experiments.comparison import compare
from chexnet.messages import CHAMPION
from tests.unit.experiments.records import START, VERSIONS, experiment, prediction, read

LABELS = ("Hernia", "Pneumonia")  # The rarest two: their plain loops take seconds.


@pytest.fixture(scope="module")
def published(shared: Path):
    """Return patients, truth and both arms' scores: the challenger's are the published ones."""
    folder = shared / "reference"
    with gzip.open(folder / "Data_Entry_2017_v2020.csv.gz", "rt") as file:
        known = {row[0]: (row[3], set(row[1].split("|"))) for row in csv.reader(file)}
    with gzip.open(folder / "chexnet_reproduction_predictions.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    patients = np.array([known[row["Image Index"]][0] for row in rows])
    truth = np.array([[x in known[row["Image Index"]][1] for x in LABELS] for row in rows])
    good = np.array([[float(row[f"prob_{x}"]) for x in LABELS] for row in rows])
    worse = (good * np.random.default_rng(0).lognormal(0, 0.7, good.shape)).clip(0, 1)
    return patients, truth, worse, good


@pytest.fixture(scope="module")
def records(published):
    patients, truth, worse, good = published
    predictions, reads = [], []
    for n, patient in enumerate(patients):
        for arm, scores in ((CHAMPION, worse), ("b", good)):
            said = dict(zip(LABELS, scores[n].tolist(), strict=True))
            predictions.append(prediction(f"i{n:05}", patient, arm, said))
        words = {x: "present" if y else "absent" for x, y in zip(LABELS, truth[n], strict=True)}
        reads.append(read(f"i{n:05}", words, protocol="reference"))
    return predictions, reads


def compared(records, **changes):
    e = experiment(**{"min_cases": 30_000, **changes})
    return compare(gather(e, VERSIONS, *records, ()), e, "b", VERSIONS, {})


def test_the_loss_is_that_of_scikit_learn_averaged_over_patients(published, records) -> None:
    patients, truth, worse, good = published
    rows = defaultdict(list)
    for n, patient in enumerate(patients):
        rows[patient].append(n)
    means = []
    for number, which in enumerate(rows.values()):
        a, b = (np.mean((scores[which] - truth[which]) ** 2) for scores in (worse, good))
        means.append(a - b)
        if number < 100:
            flat = truth[which].ravel().astype(int)
            assert b == pytest.approx(brier_score_loss(flat, good[which].ravel(), pos_label=1))
    found = compared(records, metric="brier", bound=1.0, lag_days=1.0)
    assert found.sequential.patients == 0  # The record ends before anybody's lag.
    predictions, reads = records
    at = START + timedelta(days=2)
    moments = {"predicted_at": at, "uploaded_at": at}
    later = [structs.replace(predictions[0], upload_id="later", unit="later", **moments)]
    reads = [structs.replace(f, recorded_at=START) for f in reads]
    found = compared(([*predictions, *later], reads), metric="brier", lag_days=1.0).sequential
    assert (found.patients, found.reads) == (len(rows), len(patients))
    assert found.difference.value == pytest.approx(np.mean(means), rel=1e-9)
    assert found.spread == pytest.approx(np.std(means, ddof=1), rel=1e-9)
    once = norm.ppf(0.975) * np.std(means, ddof=1) / len(means) ** 0.5
    half = found.difference.value - found.difference.low
    assert half > once
    # Of rare findings losses hardly vary: a tight bound is most of what there is to gain.
    tight = compared(
        ([*predictions, *later], reads), metric="brier", lag_days=1.0, bound=0.05
    ).sequential
    assert tight.cut == sum(abs(mean) > 0.05 for mean in means)
    assert tight.difference.high - tight.difference.low < half


def kernel_covariance(scores, present, patients):
    """Return the AUROCs and covariance of two models by Obuchowski 1997, pair by pair."""
    with_it, without = np.flatnonzero(present), np.flatnonzero(~present)
    names, number = np.unique(patients, return_inverse=True)
    sides, areas = [], []
    for s in scores:
        wins = (s[with_it][:, None] > s[without]) + 0.5 * (s[with_it][:, None] == s[without])
        area = wins.mean()
        sums = []
        for rows, share in ((with_it, wins.mean(axis=1)), (without, wins.mean(axis=0))):
            total = np.zeros(len(names))
            np.add.at(total, number[rows], share - area)
            sums.append(total)
        areas.append(area)
        sides.append(sums)
    m, n = len(with_it), len(without)
    i10, i01 = (len(np.unique(number[rows])) for rows in (with_it, without))
    i = len(names)
    covariance = np.zeros((2, 2))
    for a in range(2):
        for b in range(2):
            s10 = i10 / ((i10 - 1) * m) * sides[a][0] @ sides[b][0]
            s01 = i01 / ((i01 - 1) * n) * sides[a][1] @ sides[b][1]
            s11 = i / (i - 1) * (sides[a][0] @ sides[b][1] + sides[b][0] @ sides[a][1])
            covariance[a, b] = s10 / m + s01 / n + s11 / (m * n)
    return areas, covariance


def test_areas_and_clustered_paired_variance_are_those_of_plain_loops(published, records) -> None:
    patients, truth, worse, good = published
    found = compared(records)
    for column, label in enumerate(found.labels):
        scores = worse[:, column], good[:, column]
        areas, covariance = kernel_covariance(scores, truth[:, column], patients)
        assert [label.champion.value, label.challenger.value] == pytest.approx(areas, rel=1e-12)
        assert areas == pytest.approx(
            [roc_auc_score(truth[:, column], s) for s in scores], rel=1e-12
        )
        difference = label.difference
        error = (difference.high - difference.low) / (2 * norm.ppf(0.975))
        variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
        assert error == pytest.approx(variance**0.5, rel=2e-3)


def test_the_fixed_sample_is_the_first_that_were_planned(published, records) -> None:
    _, truth, _, good = published
    found = compared(records, min_cases=15_000)
    assert (found.cases[CHAMPION], found.counts.unplanned) == (15_000, len(truth) - 15_000)
    label = found.labels[1]
    assert label.challenger.value == pytest.approx(
        roc_auc_score(truth[:15_000, 1], good[:15_000, 1]), rel=1e-12
    )
