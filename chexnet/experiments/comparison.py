"""Two arms compared: the difference of their macro AUROC, and of their loss.

The AUROC is a fixed-sample statistic: its interval holds once, at the planned number of cases. The
loss is in `sequence`. The experiment says which of the two decides.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec import Struct, structs

from chexnet.evaluation.auroc import auroc, macro
from chexnet.evaluation.bootstrap import Rows, bootstrap
from chexnet.evaluation.delong import (
    Estimate,
    Interval,
    clustered,
    interval,
    logit_interval,
    mean,
)
from chexnet.experiments.cases import ABSENT, PRESENT, UNKNOWN, UNSURE, Cases, Counts, Sample
from chexnet.experiments.sequence import Sequential, sequential
from chexnet.experiments.statistics.holm import holm, p_value, shared
from chexnet.messages import CHAMPION, Experiment


class Label(Struct, frozen=True, kw_only=True):
    """One finding in both arms. With a reason in `left_out` it is not in the macro."""

    name: str
    patients_with: dict[str, int]  # Arm → patients with at least one image that shows it.
    patients_without: dict[str, int]
    unsure: int  # Cases whose reader could not say: in no arm's count.
    not_assessed: int
    champion: Interval | None = None
    challenger: Interval | None = None
    difference: Interval | None = None
    p: float | None = None  # Of the difference against the margin, by Holm over all labels.
    left_out: str = ""


class Comparison(Struct, frozen=True, kw_only=True):
    """One challenger against the champion, on the same patients (paired) or on others."""

    experiment: str
    metric: str
    paired: bool
    arm: str
    versions: dict[str, int]
    confidence: float  # Of each interval.
    margin: float
    cases: dict[str, int]
    patients: dict[str, int]
    counts: Counts
    labels: tuple[Label, ...]
    champion: Interval | None  # Macro AUROCs; None where no label has enough patients.
    challenger: Interval | None
    difference: Interval | None
    sequential: Sequential | None = None  # Where that decides.
    arms: int = 1  # Challengers that the confidence of the experiment is shared by.

    @property
    def macro_labels(self) -> tuple[str, ...]:
        """The labels that the macro AUROC is the mean of, in both arms."""
        return tuple(label.name for label in self.labels if not label.left_out)


def compare(
    sample: Sample,
    experiment: Experiment,
    arm: str,
    versions: dict[str, int],
    exposures: Mapping[int, float],
) -> Comparison:
    """Return challenger minus champion, with the experiment's confidence, shared by its arms.

    Args:
        sample: from `cases.gather`.
        experiment: with its confidence and the patients that a label needs on each side.
        arm: the challenger's.
        versions: of both arms.
        exposures: revision → exposure, of all revisions of the experiment.

    Returns:
        The macro AUROC of both arms over the labels that have enough patients with and without in
        both, and their difference; paired where both saw the same images. Patients are the
        independent units throughout.
    """
    sides = {CHAMPION: sample.champion, arm: sample.challenger}
    labels: list[Label] = []
    estimates: dict[str, tuple[Estimate, Estimate]] = {}
    for column, name in enumerate(sample.labels):
        label, estimate = _label(column, name, sides, sample.patients, experiment)
        labels.append(label)
        estimates |= {name: estimate} if estimate else {}
    p = holm({k: p_value(b - a, experiment.margin) for k, (a, b) in estimates.items()})
    macros = [mean(side) for side in zip(*estimates.values(), strict=True)]
    level = shared(experiment.confidence, len(experiment.weights))
    return Comparison(
        experiment=experiment.name,
        metric=experiment.metric,
        paired=experiment.design == "shadow",
        arm=arm,
        versions=versions,
        confidence=level,
        arms=len(experiment.weights),
        margin=experiment.margin,
        cases={name: len(side.patient) for name, side in sides.items()},
        patients={name: len(np.unique(side.patient)) for name, side in sides.items()},
        counts=sample.counts,
        labels=tuple(structs.replace(label, p=p.get(label.name)) for label in labels),
        champion=logit_interval(macros[0], level) if macros else None,
        challenger=logit_interval(macros[1], level) if macros else None,
        difference=interval(macros[1] - macros[0], level) if macros else None,
        sequential=sequential(sample, experiment, arm, exposures)
        if experiment.metric == "brier"
        else None,
    )


def resampled(sample: Sample, comparison: Comparison, rounds: int = 1000) -> tuple[float, float]:
    """Return the interval of the difference by resampling patients: a check on the formula.

    A label that a resample leaves without patients on one side leaves both arms' macro there.
    """
    sides = sample.champion, sample.challenger
    start = len(sides[0].patient)
    columns = [sample.labels.index(name) for name in comparison.macro_labels]

    def difference(rows: Rows) -> float:
        parts = (sides[0], rows[rows < start]), (sides[1], rows[rows >= start] - start)
        areas = [[_area(side, own, column) for side, own in parts] for column in columns]
        return macro(b - a for a, b in areas)

    patient = np.concatenate([side.patient for side in sides])
    return bootstrap(difference, patient, confidence=comparison.confidence, rounds=rounds)


def _area(side: Cases, rows: Rows, column: int) -> float:
    truth = side.truth[rows, column]
    known = truth <= PRESENT
    return auroc(side.scores[rows, column][known], truth[known] == PRESENT)


def _label(
    column: int, name: str, sides: dict[str, Cases], patients: int, experiment: Experiment
) -> tuple[Label, tuple[Estimate, Estimate] | None]:
    champion, challenger = sides.values()
    union = (champion,) if experiment.design == "shadow" else (champion, challenger)
    truth = np.concatenate([side.truth[:, column] for side in union])
    label = Label(
        name=name,
        patients_with={arm: _patients(side, column, PRESENT) for arm, side in sides.items()},
        patients_without={arm: _patients(side, column, ABSENT) for arm, side in sides.items()},
        unsure=int((truth == UNSURE).sum()),
        not_assessed=int((truth == UNKNOWN).sum()),
    )
    if reason := _left_out(label, column, sides, max(experiment.min_positive, 2)):
        return structs.replace(label, left_out=reason), None
    a, b = (_estimate(side, column, patients) for side in (champion, challenger))
    level = shared(experiment.confidence, len(experiment.weights))
    measured = structs.replace(
        label,
        champion=logit_interval(a, level),
        challenger=logit_interval(b, level),
        difference=interval(b - a, level),
    )
    return measured, (a, b)


def _left_out(label: Label, column: int, sides: dict[str, Cases], needed: int) -> str:
    """Return why the label can't be in the macro; nothing where it can."""
    for arm, side in sides.items():
        if np.isnan(side.scores[:, column]).any():
            return f"not an output of {arm}"
        counts = {"with": label.patients_with[arm], "without": label.patients_without[arm]}
        for side_name, count in counts.items():
            if count < needed:
                return f"{count} of {needed} patients {side_name} it in {arm}"
    return ""


def _patients(side: Cases, column: int, value: int) -> int:
    return len(np.unique(side.patient[side.truth[:, column] == value]))


def _estimate(side: Cases, column: int, patients: int) -> Estimate:
    known = side.truth[:, column] <= PRESENT
    present = side.truth[known, column] == PRESENT
    return clustered(side.scores[known, column], present, side.patient[known], patients)
