"""The area under the ROC curve of one finding, and its mean over findings."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def auroc(scores: NDArray[np.floating], present: NDArray[np.bool_]) -> float:
    """Return the probability that a row with the finding scores above one without it.

    Args:
        scores: float [N], higher is more likely present; a tie counts one half.
        present: bool [N], the reference.

    Returns:
        AUROC, 0 to 1; NaN where one side has no row, since nothing can be said.

    Source: Mann and Whitney 1947, Annals of Mathematical Statistics 18:50; Hanley and McNeil 1982,
    Radiology 143:29.
    """
    m = int(np.count_nonzero(present))
    n = len(present) - m
    if min(m, n) == 0:
        return float("nan")
    ranks = midranks(scores)
    return float((ranks[present].sum() - m * (m + 1) / 2) / (m * n))


def midranks(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the rank of each score, from 1; equal scores share the mean of their ranks.

    As scipy.stats.rankdata, whose import takes a second of every command.
    """
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = np.cumsum(counts) - (counts - 1) / 2
    return ranks[place]


def macro(areas: Iterable[float]) -> float:
    """Return the unweighted mean of the areas that exist; NaN where none does."""
    known = [area for area in areas if not np.isnan(area)]
    return float(np.mean(known)) if known else float("nan")
