"""A finding at every threshold: what ROC, precision-recall and operating points are read from."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from chexnet.evaluation.scored import Bools, Floats


class Curve(Struct, frozen=True):
    """Counts of images called present, from the highest threshold to the lowest.

    An image is called present from the threshold on. Build it with `curve`.

    Args:
        thresholds: [K] the distinct scores, falling.
        hits: [K] images with the finding that are called present (true positives).
        alarms: [K] images without it that are (false positives).
    """

    thresholds: Floats
    hits: NDArray[np.int64]
    alarms: NDArray[np.int64]

    @property
    def sensitivity(self) -> Floats:
        """Of each threshold: the share of images with the finding that are called present."""
        found: Floats = self.hits / self.hits[-1]
        return found

    @property
    def specificity(self) -> Floats:
        """Of each threshold: the share of images without the finding that are called absent."""
        found: Floats = 1 - self.alarms / self.alarms[-1]
        return found

    @property
    def precision(self) -> Floats:
        """Of each threshold: the share of what is called present that has the finding."""
        return self.hits / (self.hits + self.alarms)

    @property
    def f1(self) -> Floats:
        """Of each threshold: the harmonic mean of sensitivity and precision."""
        found: Floats = 2 * self.hits / (self.hits + self.alarms + self.hits[-1])
        return found

    def average_precision(self) -> float:
        """Return the mean precision over the images with the finding: the area in steps.

        Source: Davis and Goadrich 2006, ICML, on why it is not interpolated.
        """
        return float(np.diff(self.hits, prepend=0) @ self.precision / self.hits[-1])

    def youden(self) -> float:
        """Return the threshold with the highest sensitivity + specificity - 1.

        Source: Youden 1950, Cancer 3:32. Of equal ones it is the highest.
        """
        with_it, without = self.hits[-1], self.alarms[-1]
        return self._between(int(np.argmax(self.hits * without - self.alarms * with_it)))

    def at_sensitivity(self, wanted: float) -> float:
        """Return the highest threshold whose sensitivity is at least `wanted`."""
        return self._between(int(np.argmax(self.sensitivity >= wanted)))

    def best_f1(self) -> float:
        """Return the threshold with the highest F1; of equal ones the highest."""
        return self._between(int(np.argmax(self.f1)))

    def _between(self, place: int) -> float:
        """Return half way to the next lower score, so that rounding moves nobody."""
        at = self.thresholds[place]
        below = self.thresholds[place + 1] if place + 1 < len(self.thresholds) else 0.0
        middle = (at + below) / 2
        return float(middle if middle > below else at)  # Neighbouring floats have no middle.


def curve(scores: Floats, present: Bools) -> Curve:
    """Return the counts at every threshold.

    Args:
        scores: [n] probabilities.
        present: [n] the reference.

    Raises:
        ValueError: a side has no image.
    """
    if present.all() or not present.any():
        side = "without" if len(present) and present.all() else "with"
        rule = "A curve needs images with the finding and images without."
        raise ValueError(f"{rule} Received: none {side} it.")
    order = np.argsort(-scores, kind="stable")
    ranked, hit = scores[order], present[order]
    last = np.append(ranked[1:] != ranked[:-1], True)  # A threshold can't part equal scores.
    return Curve(ranked[last], np.cumsum(hit)[last], np.cumsum(~hit)[last])
