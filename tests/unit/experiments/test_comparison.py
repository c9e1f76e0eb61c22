"""The comparison: by hand, on real predictions, and against its own bootstrap."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import msgspec
import numpy as np
import pytest

from chexnet.experiments.cases import gather
from chexnet.experiments.comparison import compare, resampled
from chexnet.messages import CHAMPION
from tests.unit.experiments.records import VERSIONS, experiment, prediction, read

E, M = "Effusion", "Mass"


def records(rows, labels=(E, M)):
    """From rows of (patient, champion's scores, challenger's scores, findings)."""
    predictions, reads = [], []
    for n, (unit, champion, challenger, findings) in enumerate(rows):
        for arm, scores in ((CHAMPION, champion), ("b", challenger)):
            predictions.append(
                prediction(f"i{n}", unit, arm, dict(zip(labels, scores, strict=False)))
            )
        reads.append(read(f"i{n}", findings, protocol="reference"))
    return predictions, reads


def compared(predictions, reads, **changes):
    e = experiment(**changes)
    return compare(gather(e, VERSIONS, predictions, reads, ()), e, "b", VERSIONS, {})


def six(challenger=(0.9, 0.8, 0.7, 0.3, 0.2, 0.1)):
    """Six patients, three with the finding; the champion has the order of test_delong."""
    champion = (0.9, 0.6, 0.4, 0.5, 0.4, 0.1)
    return [
        (f"p{n}", (a,), (b,), {E: "present" if n < 3 else "absent"})
        for n, (a, b) in enumerate(zip(champion, challenger, strict=True))
    ]


def test_a_paired_difference_by_hand() -> None:
    # The champion's area is 5/6 with variance 1/27 (worked out in test_delong). The challenger's
    # is 1, each row winning all: no variance, no covariance. 1/6 -+ 1.959964 * sqrt(1/27).
    got = compared(*records(six()))
    assert got.paired
    assert got.difference is not None
    assert (got.difference.value, got.difference.low, got.difference.high) == pytest.approx(
        (1 / 6, 1 / 6 - 0.377195, 1 / 6 + 0.377195), abs=1e-6
    )
    assert got.cases == got.patients == {CHAMPION: 6, "b": 6}


def test_the_same_answers_differ_by_nothing_for_sure() -> None:
    rows = [(unit, a, a, findings) for unit, a, _, findings in six()]
    got = compared(*records(rows))
    assert got.difference is not None
    assert (got.difference.low, got.difference.high) == (0, 0)


def test_an_unpaired_difference_has_both_variances() -> None:
    # Twice the same six scores, on other patients: the variances add to 2/27.
    champion, challenger = [], []
    for n, (_, (score,), _, findings) in enumerate(six()):
        champion.append((f"p{n}", score, findings))
        challenger.append((f"q{n}", score, findings))
    predictions, reads = [], []
    for arm, rows in ((CHAMPION, champion), ("b", challenger)):
        for unit, score, findings in rows:
            predictions.append(prediction(unit, unit, arm, {E: score}, kind="answer"))
            reads.append(read(unit, findings))
    got = compared(predictions, reads, design="split")
    assert not got.paired
    assert got.difference is not None
    assert got.difference.value == pytest.approx(0, abs=1e-12)
    assert got.difference.high == pytest.approx(1.959964 * (2 / 27) ** 0.5, abs=1e-6)


def test_a_label_with_too_few_patients_leaves_both_arms_and_is_named() -> None:
    rows = [(u, (*a, 0.5), (*b, 0.5), f | {M: "absent"}) for u, a, b, f in six()]
    rows[0][3][M] = "present"
    got = compared(*records(rows))
    assert got.macro_labels == (E,)
    assert got.labels[1].left_out == "1 of 2 patients with it in champion"
    assert got.champion is not None
    assert got.champion.value == pytest.approx(5 / 6)


def test_images_of_one_patient_are_not_several_patients() -> None:
    rows = [("same" if n < 3 else u, a, b, f) for n, (u, a, b, f) in enumerate(six())]
    got = compared(*records(rows))
    assert got.labels[0].left_out == "1 of 2 patients with it in champion"
    assert got.difference is None


def test_a_label_that_one_arm_does_not_know_is_left_out() -> None:
    rows = [(u, (*a, 0.5), b, f | {M: f[E]}) for u, a, b, f in six()]
    got = compared(*records(rows))
    assert (got.macro_labels, got.labels[1].left_out) == ((E,), "not an output of b")


def test_unsure_reads_are_in_no_count_but_their_own() -> None:
    unsure = ("p9", (0.99,), (0.01,), {E: "unsure"})
    got = compared(*records([*six(), unsure]))
    assert got.labels[0].patients_with == {CHAMPION: 3, "b": 3}
    assert (got.labels[0].unsure, got.labels[0].not_assessed) == (1, 0)
    assert got.champion is not None
    assert got.champion.value == pytest.approx(5 / 6)


def test_nothing_read_gives_no_difference() -> None:
    predictions, _ = records(six())
    got = compared(predictions, [])
    assert (got.difference, got.labels, got.counts.unread) == (None, (), 6)


def test_the_result_survives_json() -> None:
    got = compared(*records(six()))
    assert msgspec.json.decode(msgspec.json.encode(got), type=type(got)) == got


def test_the_bootstrap_agrees_with_the_formula_on_two_labels_and_repeat_patients() -> None:
    rng = np.random.default_rng(7)
    rows = []
    for n in range(240):
        present = rng.random(2) < 0.4
        noise = rng.normal(0, 1, 2)
        champion, challenger = (
            present * effect + noise + rng.normal(0, 0.6, 2) for effect in (0.8, 1.2)
        )
        findings = {k: "present" if p else "absent" for k, p in zip((E, M), present, strict=True)}
        rows.append((f"p{n // 2}", champion.tolist(), challenger.tolist(), findings))
    e = experiment()
    sample = gather(e, VERSIONS, *records(rows), ())
    got = compare(sample, e, "b", VERSIONS, {})
    assert got.difference is not None
    width = got.difference.high - got.difference.low
    assert resampled(sample, got, rounds=1000) == pytest.approx(
        (got.difference.low, got.difference.high), abs=0.15 * width
    )


def test_22433_real_predictions_give_the_published_areas_and_sensible_intervals(
    shared: Path,
) -> None:
    folder = shared / "reference"
    with gzip.open(folder / "Data_Entry_2017_v2020.csv.gz", "rt") as file:
        truth = {row[0]: (row[3], set(row[1].split("|"))) for row in csv.reader(file)}
    with (folder / "chexnet_reproduction_aucs.csv").open() as file:
        published = {row["label"]: float(row["auc"]) for row in csv.DictReader(file)}
    rng = np.random.default_rng(0)
    predictions, reads = [], []
    with gzip.open(folder / "chexnet_reproduction_predictions.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            image = row["Image Index"]
            patient, findings = truth[image]
            good = {label: float(row[f"prob_{label}"]) for label in published}
            worse = {k: v * rng.lognormal(0, 1) for k, v in good.items()}
            predictions.append(prediction(image, patient, CHAMPION, worse))
            predictions.append(prediction(image, patient, "b", good))
            found = {k: "present" if k in findings else "absent" for k in published}
            reads.append(read(image, found, protocol="reference"))
    got = compared(predictions, reads, min_positive=10, min_cases=len(reads))
    areas = {label.name: label.challenger for label in got.labels}
    assert areas.keys() == published.keys()
    for label, area in published.items():
        assert areas[label].value == pytest.approx(area, abs=5e-5), label
        assert areas[label].low < area < areas[label].high
    assert got.challenger is not None
    assert got.challenger.value == pytest.approx(np.mean(list(published.values())), abs=5e-5)
    assert got.difference is not None
    assert got.difference.low > 0  # The champion's scores are the same with noise.
