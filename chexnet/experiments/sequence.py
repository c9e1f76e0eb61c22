"""The sequential metric: by how much the challenger's Brier loss is lower, valid at every look.

A patient is one value: the squared error of the probabilities (Brier 1950, Monthly Weather Review
78:1), averaged over the labels that were read, then over the patient's images. Patients come in
order of their first image.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from chexnet.evaluation.delong import Interval
from chexnet.experiments.assignment import shares
from chexnet.experiments.cases import PRESENT, Cases, Sample
from chexnet.experiments.exposures import First, exposure_of
from chexnet.experiments.statistics.assigned import differences
from chexnet.experiments.statistics.betting import bounds, stakes
from chexnet.experiments.statistics.holm import shared
from chexnet.experiments.statistics.weights import CLIP, LEAST, Weighted, effective, weighted
from chexnet.messages import CHAMPION, Experiment

Floats = NDArray[np.float64]


class Sequential(Struct, frozen=True, kw_only=True):
    """The champion's mean loss less the challenger's: above 0 the challenger is better.

    Args:
        difference: the mean over patients, and what no look so far has ruled out.
        patients: who have entered.
        cut: of them, whose value was beyond the bound and was cut to it.
        listed: images of those whose lag is over that were to be read: all, or the worklist's.
        reads: of them, that were read; with a worklist, a patient with another one does not enter.
        effective: so many without a worklist's weights would say as much; without one, the same.
        labels: that both arms know.
        spread: over patients, the standard deviation of what a plan asks for: in shadow of the
            difference, in a split of the loss within an arm, a worklist's weights included. None
            where no arm has two patients.
        losses: arm → its mean loss over images, descriptive; see `weights.weighted`.
    """

    difference: Interval | None
    patients: int
    cut: int
    listed: int
    reads: int
    effective: float
    labels: tuple[str, ...]
    spread: float | None
    losses: dict[str, Weighted] = {}


def sequential(
    sample: Sample,
    experiment: Experiment,
    arm: str,
    exposures: Mapping[int, float],
) -> Sequential:
    """Return what the sequence has shown by now.

    Args:
        sample: of accrued records, its patients numbered in order of their first image.
        experiment: with its planned patients, bound and confidence.
        arm: the challenger's.
        exposures: revision → exposure; a split needs them, since a patient's weight is one over the
            share of the arm at the patient's first image.
    """
    scores = np.vstack([sample.champion.scores, sample.challenger.scores])
    known = np.asarray(np.isfinite(scores).all(axis=0))
    paired = experiment.design == "shadow"
    sides = {CHAMPION: sample.champion, arm: sample.challenger}
    images = {name: _images(side, known) for name, side in sides.items()}
    losses = [_losses(side, images[name], experiment) for name, side in sides.items()]
    bound = experiment.bound / (LEAST if experiment.worklist else 1)
    if paired:
        raw = losses[0] - losses[1]
        raw = raw[~np.isnan(raw)]
        values, reach = np.clip(raw, -bound, bound), np.array(bound)
        groups, planned = [raw], experiment.min_cases
    else:
        raw, challenger, share = _assigned(sample.firsts, losses, experiment, arm, exposures)
        values, reach = differences(np.clip(raw, 0, bound), challenger, share, bound)
        groups, planned = [raw[~challenger], raw[challenger]], 2 * experiment.min_cases
    level = shared(experiment.confidence, len(experiment.weights))
    bets = stakes(values, reach=reach, planned=planned, confidence=level)
    each = [CHAMPION] if paired else list(sides)  # In shadow both have the same images.
    weight = np.concatenate([1 / sides[name].propensity[images[name][0]] for name in each])
    return Sequential(
        difference=bounds(bets) if len(values) else None,
        patients=len(values),
        cut=int((np.abs(raw) > bound).sum()),
        listed=sum(int(sides[name].listed.sum()) for name in each),
        reads=len(weight),
        effective=effective(weight) if len(weight) else 0.0,
        labels=tuple(name for name, both in zip(sample.labels, known, strict=True) if both),
        spread=_spread(groups),
        losses={
            name: weighted(
                images[name][1],
                side.propensity[images[name][0]],
                side.patient[images[name][0]],
                clip=CLIP,
                confidence=level,
            )
            for name, side in sides.items()
            if len(np.unique(side.patient[images[name][0]])) > 1
        },
    )


def _images(side: Cases, known: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Floats]:
    """Return which rows have a loss, and their losses."""
    read = (side.truth <= PRESENT) & known
    error = np.where(read, (np.nan_to_num(side.scores) - (side.truth == PRESENT)) ** 2, 0)
    labels = read.sum(axis=1)
    rows = labels > 0
    return rows, error[rows].sum(axis=1) / labels[rows]


def _losses(
    side: Cases, images: tuple[NDArray[np.bool_], Floats], experiment: Experiment
) -> Floats:
    """Return each patient's mean loss in one arm; NaN where it is not known.

    With a worklist: the weighted loss of what was read over all images that could have been. That
    is right on average only if all that was listed was read, so a patient without does not enter.
    """
    rows, loss = images
    patient, patients = side.patient[rows], len(side.images)
    total = np.bincount(patient, loss / side.propensity[rows], minlength=patients)
    count = np.bincount(patient, minlength=patients)
    if not experiment.worklist:
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)
    whole = (side.images > 0) & (count == side.listed)
    return np.where(whole, total / np.maximum(side.images, 1), np.nan)


def _spread(groups: list[Floats]) -> float | None:
    """Return the standard deviation within groups, pooled."""
    large = [group for group in groups if len(group) > 1]
    if not large:
        return None
    squares = sum(float(group.var()) * len(group) for group in large)
    return float(np.sqrt(squares / sum(len(group) - 1 for group in large)))


def _assigned(
    firsts: tuple[First, ...],
    losses: list[Floats],
    experiment: Experiment,
    arm: str,
    exposures: Mapping[int, float],
) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """Return loss, arm and share of the patients whose first image one of the two arms answered.

    Who changed arm as the exposure grew counts in the first, with the images that it answered.
    """
    loss, challenger, share = [], [], []
    for number, first in enumerate(firsts):
        of = shares(experiment, exposure_of(exposures, first.revision))
        own = losses[first.arm == arm][number]
        if first.arm in {arm, CHAMPION} and of[CHAMPION] > 0 and not np.isnan(own):
            loss.append(own)
            challenger.append(first.arm == arm)
            share.append(of[arm] / (of[arm] + of[CHAMPION]))
    return np.array(loss), np.array(challenger, bool), np.array(share)
