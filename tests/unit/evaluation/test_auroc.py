"""AUROC against a hand count, scikit-learn and a published table."""

from __future__ import annotations

import csv
import gzip
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from chexnet.evaluation.auroc import auroc, macro, midranks


def test_auroc_by_hand() -> None:
    # With: 3 1, without: 2 1. Pairs won: 3>2, 3>1, 1<2, 1=1: 1 + 1 + 0 + 1/2 of 4.
    assert auroc(np.array([3.0, 1, 2, 1]), np.array([True, True, False, False])) == 2.5 / 4


@given(
    st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=60).filter(
        lambda rows: len({present for _, present in rows}) == 2
    )
)
def test_auroc_is_scikit_learns_also_with_ties(rows: list[tuple[int, bool]]) -> None:
    scores = np.array([float(score) for score, _ in rows])
    present = np.array([present for _, present in rows])
    assert auroc(scores, present) == pytest.approx(roc_auc_score(present, scores), abs=1e-12)


both_sides = st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=2, max_size=60).filter(
    lambda rows: len({present for _, present in rows}) == 2
)


@given(both_sides)
def test_only_the_order_counts(rows: list[tuple[int, bool]]) -> None:
    scores = np.array([score / 20 for score, _ in rows])
    present = np.array([present for _, present in rows])
    area = auroc(scores, present)
    assert auroc(np.exp(5 * scores), present) == area
    assert auroc(scores**3, present) == area


@given(both_sides)
def test_the_complement_of_scores_or_of_labels_turns_it_round(rows: list[tuple[int, bool]]) -> None:
    scores = np.array([float(score) for score, _ in rows])
    present = np.array([present for _, present in rows])
    area = auroc(scores, present)
    assert auroc(-scores, present) == pytest.approx(1 - area, abs=1e-12)
    assert auroc(scores, ~present) == pytest.approx(1 - area, abs=1e-12)
    assert auroc(-scores, ~present) == pytest.approx(area, abs=1e-12)


def test_where_all_scores_are_tied_it_is_one_half() -> None:
    assert auroc(np.full(5, 0.3), np.arange(5) < 2) == 0.5


@given(st.lists(st.integers(0, 9).map(float), min_size=1))
def test_midranks_are_scipys(scores: list[float]) -> None:
    np.testing.assert_array_equal(midranks(np.array(scores)), rankdata(scores))


@pytest.mark.parametrize("present", [True, False])
def test_without_both_sides_there_is_no_auroc(present: bool) -> None:
    assert math.isnan(auroc(np.array([0.1, 0.2]), np.array([present, present])))


def test_macro_leaves_out_what_does_not_exist() -> None:
    assert macro([0.5, math.nan, 1.0]) == 0.75
    assert math.isnan(macro([math.nan]))


def test_the_published_table_of_a_reproduction_comes_out_to_four_decimals(shared: Path) -> None:
    folder = shared / "reference"
    with gzip.open(folder / "Data_Entry_2017_v2020.csv.gz", "rt") as file:
        truth = {row[0]: set(row[1].split("|")) for row in csv.reader(file)}
    with gzip.open(folder / "chexnet_reproduction_predictions.csv.gz", "rt") as file:
        said = list(csv.DictReader(file))
    assert len(said) == 22_433
    with (folder / "chexnet_reproduction_aucs.csv").open() as file:
        published = {row["label"]: float(row["auc"]) for row in csv.DictReader(file)}
    assert len(published) == 14
    for label, area in published.items():
        scores = np.array([float(row[f"prob_{label}"]) for row in said])
        present = np.array([label in truth[row["Image Index"]] for row in said])
        assert auroc(scores, present) == pytest.approx(area, abs=5e-5), label
