"""The worklist: which images are to be read, by a draw that can be repeated and undone by weights.

An image about which its version is unsure is included more often. Each has a chance, so that reads
still stand for all images: their weights are in chexnet/experiments/statistics/weights.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from chexnet.experiments.assignment import uniform

LEAST = 0.1  # Of a propensity; a rarer image would stand for more than ten.


def propensity(probabilities: Mapping[str, float], thresholds: Mapping[str, float]) -> float:
    """Return with which probability an image is included, 0.1 to 1.

    It grows with the finding that is nearest to its threshold (0.5 where there is none): at the
    threshold it is 1, at 0 % or 100 % it is 0.1.
    """
    unsure = 0.0
    for label, value in probabilities.items():
        middle = thresholds.get(label, 0.5)
        room = middle if value < middle else 1 - middle
        unsure = max(unsure, 1 - abs(value - middle) / room if room > 0 else 1.0)
    return LEAST + (1 - LEAST) * unsure


def included(model: str, image_id: str, chance: float) -> bool:
    """Return whether the draw of this image, the same at any time, falls below `chance`.

    It depends on nothing that assigns units to arms, so both arms' images are drawn alike.
    """
    return uniform("worklist", model, image_id) < chance


def drawn(
    model: str, image_id: str, probabilities: Mapping[str, float], thresholds: Mapping[str, float]
) -> float | None:
    """Return with which probability the worklist included an image; None where it did not.

    Args:
        model: whose image it is.
        image_id: of the image.
        probabilities: of the answer that is shown after the reading.
        thresholds: of the version that gave it.
    """
    chance = propensity(probabilities, thresholds)
    return chance if included(model, image_id, chance) else None
