"""AUROC with its variance, where a patient may have several images.

An estimate carries one influence per patient: how far that patient's images pull it from its value.
The variance of any sum, mean or difference of estimates is then the sum of squares of the combined
influences. So labels that occur together, two models on the same images (paired), two models on
other images (unpaired) and everything between come out of one computation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.special import betaincinv, expit, ndtri

from chexnet.evaluation.auroc import midranks

Floats = NDArray[np.float64]


class Estimate(Struct, frozen=True):
    """A number that was estimated from patients.

    Args:
        value: the estimate.
        influence: float [patients]; their squares sum to its variance.
        pairs: independent pairs of a patient with the finding and one without.
    """

    value: float
    influence: Floats
    pairs: int

    @property
    def variance(self) -> float:
        """The variance of `value`."""
        return float(self.influence @ self.influence)

    def __sub__(self, other: Estimate) -> Estimate:
        """Return the difference; the influences must be of the same patients, in one order."""
        pairs = min(self.pairs, other.pairs)
        return Estimate(self.value - other.value, self.influence - other.influence, pairs)


class Interval(Struct, frozen=True):
    """An estimate between its confidence limits."""

    value: float
    low: float
    high: float


def auroc(scores: Floats, present: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the AUROC of one finding, and the variance of that estimate.

    Args:
        scores: float [N], higher is more likely present; a tie counts one half.
        present: bool [N], the reference. One row per patient: rows must be independent.

    Returns:
        AUROC, 0 to 1, and its variance; the standard error is the variance's root.

    Raises:
        ValueError: with fewer than two rows on either side, where no variance exists.

    Source: DeLong et al. 1988, Biometrics 44:837; midranks as in Sun and Xu 2014,
    IEEE Signal Processing Letters 21:1389.
    """
    estimate = clustered(scores, present, np.arange(len(scores)), len(scores))
    return estimate.value, estimate.variance


def clustered(
    scores: Floats, present: NDArray[np.bool_], patient: NDArray[np.intp], patients: int
) -> Estimate:
    """Return the AUROC of one finding over rows that belong to patients.

    Args:
        scores: float [N], higher is more likely present; a tie counts one half.
        present: bool [N], the reference.
        patient: int [N], whose row it is, from 0.
        patients: how many there are. Estimates to be combined must count the same patients.

    Raises:
        ValueError: with fewer than two patients on either side, where no variance exists.

    Source: Obuchowski 1997, Biometrics 53:567, whose variance sums over patients what DeLong's sums
    over rows; with one row each they are equal. The term that joins a patient's rows with and
    without the finding has here the geometric mean of its two small-sample factors, where
    Obuchowski has a third: a difference of the order of 1/patients, and never a negative variance.
    """
    whose = patient[present], patient[~present]
    counts = [len(np.unique(who)) for who in whose]
    if min(counts) < 2:
        rule = "AUROC needs 2 patients with the finding and 2 without."
        todo = "Leave this finding out of the report, or widen the split."
        raise ValueError(f"{rule} Received: {counts[0]} and {counts[1]}. {todo}")
    shares = placements(scores, present)
    area = float(shares[0].mean())
    influence = np.zeros(patients)
    for who, share, count in zip(whose, shares, counts, strict=True):
        pull = np.bincount(who, share - area, minlength=patients) / len(share)
        influence += pull * math.sqrt(count / (count - 1))
    return Estimate(area, influence, min(counts))


def placements(scores: Floats, present: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return, for each row with the finding, the share of rows without it that it beats; and back.

    A tie counts one half. The mean of either array is the AUROC.
    """
    with_it, without = scores[present], scores[~present]
    m, n = len(with_it), len(without)
    rank = midranks(np.concatenate([with_it, without]))
    beats = (rank[:m] - midranks(with_it)) / n
    beaten = 1 - (rank[m:] - midranks(without)) / m
    return beats, beaten


def mean(estimates: Sequence[Estimate]) -> Estimate:
    """Return the mean of estimates over the same patients: the macro AUROC, of its labels."""
    return Estimate(
        float(np.mean([e.value for e in estimates])),
        np.mean([e.influence for e in estimates], axis=0),
        min(e.pairs for e in estimates),
    )


def interval(difference: Estimate, confidence: float) -> Interval:
    """Return the symmetric (Wald) interval: for differences."""
    half = float(ndtri((1 + confidence) / 2)) * math.sqrt(difference.variance)
    return Interval(difference.value, difference.value - half, difference.value + half)


def logit_interval(area: Estimate, confidence: float) -> Interval:
    """Return an interval for an AUROC that stays within 0 and 1: symmetric on the logit scale.

    Source: Pepe 2003, The Statistical Evaluation of Medical Tests, 5.2.2. Where the variance is 0
    it says nothing: with all pairs in order, none, or all scores the same. There the bounds are
    those of `pairs` independent pairs (Clopper and Pearson 1934, Biometrika 26:404).
    """
    theta = area.value
    if min(theta, 1 - theta) <= 0 or area.variance <= 0:
        won, lost, tail = theta * area.pairs, (1 - theta) * area.pairs, (1 - confidence) / 2
        low = float(betaincinv(won, lost + 1, tail)) if won > 0 else 0.0
        high = float(betaincinv(won + 1, lost, 1 - tail)) if lost > 0 else 1.0
        return Interval(theta, low, high)
    error = math.sqrt(area.variance) / (theta * (1 - theta))
    half = float(ndtri((1 + confidence) / 2)) * error
    centre = math.log(theta / (1 - theta))
    return Interval(theta, float(expit(centre - half)), float(expit(centre + half)))
