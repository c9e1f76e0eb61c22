"""What an answer says by its version's card, as people see it in a terminal and the workspace."""

from __future__ import annotations

import math

import numpy as np
from msgspec import Struct

from chexnet.evaluation.drift import distances
from chexnet.messages import Prediction
from chexnet.models.card import Card

LIKENESS = {  # What is told of `unlike`.
    True: "▲ This image is unlike those that the model was judged on: of them, one in a hundred is "
    "as far off. What it says here may be wrong without looking so.",
    False: "",
    None: "Whether this image is like those that the model knows can't be told.",
}
NEAREST = 1e-7  # To 0 and 1, as in chexnet/evaluation/calibration.py.


class Output(Struct, frozen=True, kw_only=True):
    """One finding; without the card's temperature its figures are not calibrated.

    Probability and threshold are scaled alike: what is above a threshold stays above.
    """

    label: str
    probability: float
    threshold: float | None
    above: bool  # At or above it, by the numbers as they came.


def outputs(prediction: Prediction, card: Card | None) -> list[Output]:
    """Return the findings in the model's order; without a card as they stand in the record."""
    thresholds = card.thresholds if card else {}
    temperature = card.temperature if card else None
    return [
        Output(
            label=label,
            probability=scaled(value, temperature),
            threshold=scaled(thresholds[label], temperature) if label in thresholds else None,
            above=label in thresholds and value >= thresholds[label],
        )
        for label, value in prediction.probabilities.items()
    ]


def calibrated(card: Card | None) -> bool:
    """Return whether the outputs of the card's version are scaled."""
    return card is not None and card.temperature is not None


def scaled(probability: float, temperature: float | None) -> float:
    """Return the probability after temperature scaling: its logit divided by it; as it is for None.

    As chexnet/evaluation/calibration.py has it for arrays, without SciPy.
    """
    if temperature is None:
        return probability
    within = min(max(probability, NEAREST), 1 - NEAREST)
    return 1 / (1 + math.exp(-math.log(within / (1 - within)) / temperature))


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
