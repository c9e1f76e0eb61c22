"""How far readers agree beyond chance. No model is better than the truth it is compared with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


def cohen(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Return the kappa of two readers.

    Args:
        first: int [images], the category that one reader chose.
        second: int [images], that of the other.

    Returns:
        1 for full agreement, 0 for that of chance; NaN where only one category was ever chosen, as
        chance then agrees as well.

    Source: Cohen 1960, Educational and Psychological Measurement 20:37.
    """
    categories = np.unique(np.concatenate([first, second]))
    one, two = ((reads[:, None] == categories) for reads in (first, second))
    return _kappa(float((one & two).sum() / len(first)), float(one.mean(0) @ two.mean(0)))


def fleiss(counts: Counts) -> float:
    """Return the kappa of any readers, who need not be the same for each image.

    Args:
        counts: int [images, categories], how many readers chose it. Images with fewer than two
            reads say nothing of agreement and are left out.

    Returns:
        As `cohen`; NaN where no image has two reads.

    Source: Fleiss 1971, Psychological Bulletin 76:378. Where images have different numbers of
    reads, each image counts once in the agreement and each read once in the chance.
    """
    read = counts.sum(axis=1)
    counts, read = counts[read > 1], read[read > 1]
    if not len(counts):
        return float("nan")
    pairs = (counts * (counts - 1)).sum(axis=1) / (read * (read - 1))
    shares = counts.sum(axis=0) / counts.sum()
    return _kappa(float(pairs.mean()), float(shares @ shares))


def _kappa(agreed: float, chance: float) -> float:
    return (agreed - chance) / (1 - chance) if chance < 1 else float("nan")
