"""Intervals by resampling patients: no formula, the same assumption of independent patients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]
Floats = NDArray[np.float64]


def bootstrap(
    statistic: Callable[[Rows], float],
    patient: NDArray[np.intp],
    *,
    confidence: float = 0.95,
    rounds: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the percentile interval of `statistic` over resampled patients.

    Args:
        statistic: of the rows it is given; NaN where it does not exist in a resample, which is
            then left out.
        patient: int [N], whose row it is. All rows of a drawn patient are taken, as often as drawn.
        confidence: of the interval.
        rounds: resamples.
        seed: of the draws: the same seed gives the same interval.

    Raises:
        ValueError: the statistic existed in fewer than half of the resamples.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, 13; patients as the unit
    after Davison and Hinkley 1997, 3.8.
    """
    rng = np.random.default_rng(seed)
    order = np.argsort(patient, kind="stable")
    _, counts = np.unique(patient, return_counts=True)
    rows = np.split(order, np.cumsum(counts)[:-1])
    drawn = (rng.integers(len(rows), size=len(rows)) for _ in range(rounds))
    found = np.array([statistic(np.concatenate([rows[i] for i in who])) for who in drawn])
    return percentiles(found, confidence)


def percentiles(found: Floats, confidence: float) -> tuple[float, float]:
    """Return the percentile interval of a statistic over resamples.

    Args:
        found: [rounds], NaN where a resample has none: those are left out.
        confidence: of the interval.

    Raises:
        ValueError: it exists in fewer than half of the resamples.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, 13.
    """
    exists = found[~np.isnan(found)]
    if len(exists) < len(found) / 2:
        rule = "A bootstrap interval needs a statistic that exists in half of the resamples."
        received = f"Received: {len(exists)} of {len(found)}."
        raise ValueError(f"{rule} {received} Collect more cases.")
    low, high = np.quantile(exists, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
