"""Whether what a model sees and says has moved away from what it was judged on."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from chexnet.evaluation.scored import Floats

PARTS = 10  # Of the scores: deciles.
FAR = 0.99  # One in a hundred images that the model was judged on is farther than `distance`.
LEAST = 1e-6  # A feature that was constant can't be divided by its deviation.
NOISE = 1e-4  # The chance that a figure says so although nothing has moved.


class Reference(Struct, frozen=True, kw_only=True):
    """What was usual: of the images that a model was trained and judged on."""

    mean: Floats  # [D] of each feature.
    std: Floats  # [D]
    deciles: Floats  # [L, 9] of each label's scores.
    distance: float  # Of one image in a hundred; see `distances`.
    images: int | None = None  # That the deciles are of; None of an older card.


def deciles(scores: Floats) -> Floats:
    """Return the nine deciles of each label's scores.

    Args:
        scores: [n, L] probabilities.
    """
    return np.quantile(scores, np.arange(1, PARTS) / PARTS, axis=0).T


def distances(features: Floats, mean: Floats, std: Floats) -> Floats:
    """Return how far each image is from the training images.

    Args:
        features: [n, D].
        mean: [D] of the training images.
        std: [D] likewise.

    Returns:
        [n] root mean square of the standardised features: a Mahalanobis distance that takes the
        features for independent (Lee et al. 2018, arXiv:1807.03888, have the full covariance).
    """
    standard = (features - mean) / np.maximum(std, LEAST)
    far: Floats = np.sqrt(np.mean(np.square(standard), axis=1))
    return far


def shift(features: Floats, mean: Floats, std: Floats) -> float:
    """Return how far the mean of the features has moved, in standard deviations of one image.

    Returns:
        The root mean square over features, less what chance adds for n images.
    """
    moved = (features.mean(axis=0) - mean) / np.maximum(std, LEAST)
    return float(np.sqrt(max(np.mean(np.square(moved)) - 1 / len(features), 0.0)))


def stability(
    scores: Floats, usual: Floats, images: int | None = None
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the population stability index of each label, and whether it is more than chance.

    Args:
        scores: [n, L] probabilities.
        usual: [L, 9] deciles of what was usual.
        images: that these deciles are of: few have rough ones. None takes them for exact.

    Returns:
        [L] the index: sum over tenths of (p - q) ln(p / q), with half an image added to each tenth
        (Siddiqi 2006, Credit Risk Scorecards: 0.1 to 0.25 is some, above it much). [L] whether it
        is beyond the quantile that it has without a shift, at 1 in 10,000 over all labels: 1/n +
        1/images times chi-squared's (Yurdakul and Naranjo 2020, J. Risk Model Validation).
    """
    count, labels = scores.shape
    index = np.empty(labels)
    for label in range(labels):
        place = np.searchsorted(usual[label], scores[:, label], side="right")
        found = (np.bincount(place, minlength=PARTS) + 0.5) / (count + PARTS / 2)
        index[label] = np.sum((found - 1 / PARTS) * np.log(found * PARTS))
    chance = 1 / count + (1 / images if images else 0.0)
    return index, index > chance * _chi_squared(NOISE / labels, PARTS - 1)


def at_least(hits: int, count: int) -> float:
    """Return the share that `hits` of `count` show at least, but for 1 chance in 10,000.

    Source: the lower bound of Wilson 1927, JASA 22(158), 209-212.
    """
    z = NormalDist().inv_cdf(1 - NOISE)
    share = hits / count
    middle = share + z**2 / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return max(0.0, (middle - half) / (1 + z**2 / count))


def _chi_squared(beyond: float, freedom: int) -> float:
    """Return the quantile that is exceeded with probability `beyond`.

    Source: Wilson and Hilferty 1931, PNAS 17(12), 684-688: within 3 %, and then too large.
    Services carry no SciPy.
    """
    part = 2 / (9 * freedom)
    return float(freedom * (1 - part + NormalDist().inv_cdf(1 - beyond) * part**0.5) ** 3)


def miscalibration(scores: Floats, present: NDArray[np.bool_]) -> float:
    """Return Spiegelhalter's z: beyond ±2, probabilities and findings hardly fit together.

    Args:
        scores: [n] probabilities.
        present: [n] the reference.

    Source: Spiegelhalter 1986, Statistics in Medicine 5(5), 421-433. 0 without any variance.
    """
    weight = 1 - 2 * scores
    variance = np.sum(weight**2 * scores * (1 - scores))
    return float(np.sum((present - scores) * weight) / np.sqrt(variance)) if variance else 0.0
