"""The gate names everything that is missing, and nothing else."""

from __future__ import annotations

import pytest
from msgspec import structs

from chexnet.errors import Refused
from chexnet.evaluation.delong import Interval
from chexnet.experiments.cases import Counts
from chexnet.experiments.comparison import Comparison
from chexnet.experiments.gate import require, unevaluated, unproven
from chexnet.messages import CHAMPION, Release
from tests.unit.experiments.records import START, VERSIONS, experiment

COUNTS = Counts(
    images=0,
    unpaired=0,
    trained_images=0,
    trained_patients=0,
    unread=0,
    blinded=0,
    reference=0,
    assisted=0,
)


def comparison(cases: int = 100, low: float | None = 0.01) -> Comparison:
    return Comparison(
        experiment="e",
        metric="macro_auroc",
        paired=True,
        arm="b",
        versions=VERSIONS,
        confidence=0.95,
        margin=0.0,
        cases={CHAMPION: cases, "b": cases},
        patients={CHAMPION: cases, "b": cases},
        counts=COUNTS,
        labels=(),
        champion=None,
        challenger=None,
        difference=None if low is None else Interval(low + 0.02, low, low + 0.04),
    )


def test_enough_cases_and_an_interval_above_the_margin_open_the_gate() -> None:
    assert unproven(comparison(), experiment()) == []


@pytest.mark.parametrize("low", [0.0, -0.01])
def test_an_interval_that_touches_the_margin_keeps_it_shut(low: float) -> None:
    (sentence,) = unproven(comparison(low=low), experiment())
    assert f"b - champion, must lie above the margin 0. Received: {low + 0.02:+.4f}" in sentence


def test_the_margin_may_be_negative_for_non_inferiority() -> None:
    assert unproven(comparison(low=-0.01), experiment(margin=-0.02)) == []


def test_too_few_cases_and_no_label_are_both_named() -> None:
    few, none = unproven(comparison(cases=99, low=None), experiment(min_cases=100))
    assert "at least 100 cases in each arm. Received: 99 in champion, 99 in b." in few
    assert "One label at least needs 2 patients" in none


def release(**metrics: object) -> Release:
    return Release(
        model="xray",
        version=2,
        line="b",
        network="small_cnn",
        repo="models-b",
        commit="c",
        dataset="dataset@c",
        sha256="",
        labels=("Effusion",),
        metrics=metrics,
        code="",
        released_at=START,
        released_by="me",
    )


def test_a_card_without_an_evaluation_is_named() -> None:
    assert unevaluated(release(validation={"macro_auroc": 0.8})) == []
    too_few = release(validation={"macro_auroc": None})
    (sentence,) = unevaluated(structs.replace(too_few, version=3))
    assert "version 3, with no macro_auroc" in sentence


def test_a_refusal_lists_everything() -> None:
    require(2, [])
    with pytest.raises(Refused, match=r"^Version 2 may not .* Missing: \(1\) This\. \(2\) That\.$"):
        require(2, ["This.", "That."])
