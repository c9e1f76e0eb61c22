"""A model's output in words: probabilities as people say them, and images unlike those it knows."""

from __future__ import annotations

import math

import numpy as np

from chexnet.evaluation.drift import distances
from chexnet.messages import Prediction
from chexnet.models.card import Card

# Up to which probability a word is used. The words are those of Panicek and Hricak 2016, AJR
# 207:2-3, at 10, 25, 50, 75 and 90 %; the bounds lie half way between those in the middle.
WORDS = (
    (0.1, "unlikely"),
    (0.375, "less likely"),
    (0.625, "possible"),
    (0.9, "probable"),
    (1.0, "consistent with it"),
)
NEAREST = 1e-7  # To 0 and 1, as in chexnet/evaluation/calibration.py.


def scaled(probability: float, temperature: float) -> float:
    """Return the probability after temperature scaling: its logit divided by it.

    As chexnet/evaluation/calibration.py has it for arrays, without SciPy.
    """
    within = min(max(probability, NEAREST), 1 - NEAREST)
    return 1 / (1 + math.exp(-math.log(within / (1 - within)) / temperature))


def in_words(probability: float) -> str:
    """Return the word for a probability; only a calibrated one deserves it."""
    return next(word for bound, word in WORDS if probability <= bound)


def word_scale() -> str:
    """Return what the words stand for, as a reader is told."""
    told = [f"{word} to {100 * bound:g} %" for bound, word in WORDS[:-1]]
    return f"Words go by the probability alone: {', '.join(told)}, {WORDS[-1][1]} above."


def unlike(prediction: Prediction, card: Card | None) -> bool | None:
    """Return whether the image is farther from the training images than one in a hundred is.

    Returns:
        None where nobody can tell: the card is older, or the version gives no features.
    """
    if card is None or card.feature_distance is None or prediction.features is None:
        return None
    features = prediction.features.array().astype(np.float64)[None]
    mean, std = np.array(card.feature_mean), np.array(card.feature_std)
    return bool(distances(features, mean, std)[0] > card.feature_distance)
