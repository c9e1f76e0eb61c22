"""Reads from a worklist that prefers some images: weights that undo the preference."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from chexnet.evaluation.delong import Interval
from chexnet.evaluation.means import average

Floats = NDArray[np.float64]
LEAST = 0.1  # Of a propensity: a rarer image would stand for more than ten.
CLIP = 5.0  # Of a weight in a descriptive mean. What decides clips none: see decision 0071.


class Weighted(Struct, frozen=True, kw_only=True):
    """A mean over reads, as if the worklist had had no preference.

    Args:
        mean: with its interval, patients as the independent units.
        effective: reads without weights that would say as much (Kish 1965, Survey Sampling, 11.7).
        reads: that were counted.
        clipped: of them, how many weights were cut.
    """

    mean: Interval
    effective: float
    reads: int
    clipped: int


def weights(propensity: Floats, clip: float) -> Floats:
    """Return each read's weight: one over its propensity, `clip` at most.

    Args:
        propensity: float [reads], with which the worklist included the image: 0.1 to 1.
        clip: at least 1. Clipping trades a bias for variance: Ionides 2008, Journal of
            Computational and Graphical Statistics 17:295.

    Raises:
        ValueError: a propensity is below 0.1 or above 1.
    """
    if not ((propensity >= LEAST) & (propensity <= 1)).all():
        low, high = propensity.min(), propensity.max()
        rule = f"A worklist must include each image with a propensity of {LEAST} to 1."
        raise ValueError(f"{rule} Received: {low:g} to {high:g}. Leave those reads out.")
    made: Floats = np.minimum(1 / propensity, clip)
    return made


def effective(weight: Floats) -> float:
    """Return the effective sample size of weights, Kish's: all equal, it is their number."""
    return float(weight.sum() ** 2 / (weight @ weight))


def weighted(
    values: Floats,
    propensity: Floats,
    patient: NDArray[np.intp],
    *,
    clip: float,
    confidence: float,
) -> Weighted:
    """Return the mean of `values` over the images that the worklist chose from.

    Args:
        values: float [reads].
        propensity: float [reads].
        patient: int [reads], whose read it is.
        clip: the largest weight.
        confidence: of the interval.

    Raises:
        ValueError: as `weights` does, or with reads of fewer than two patients.

    Source: the ratio estimator of Hajek 1971, with patients as clusters (Cochran 1977, 6.4).
    """
    weight = weights(propensity, clip)
    return Weighted(
        mean=average(values, patient, confidence, weight),
        effective=effective(weight),
        reads=len(values),
        clipped=int((1 / propensity > clip).sum()),
    )
