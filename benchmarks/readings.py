"""Made-up experiments by the thousand: patients with several images, and two models' scores.

Within a patient all is correlated by one half: the findings' latent severities, and the noise of
each model, half of which the models share. A score is normal, `skill` higher where the finding
is present; its probability is the right one, so that the Brier loss and the AUROC are known.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr, ndtri

Floats = NDArray[np.float64]
IMAGES = 3  # Of a patient at most; one, two or three, with equal chances.


class Readings(NamedTuple):
    """Arrays [runs, patients, images]; the models' first of two axes more."""

    read: NDArray[np.bool_]  # Whether the patient has so many images.
    present: NDArray[np.bool_]
    scores: Floats  # [2, runs, patients, images]: champion, challenger.
    probability: Floats

    def losses(self) -> Floats:
        """Return [2, runs, patients]: each patient's Brier loss, averaged over the images."""
        squared = (self.probability - self.present) ** 2 * self.read
        return squared.sum(axis=-1) / self.read.sum(axis=-1)


def readings(
    rng: np.random.Generator,
    runs: int,
    patients: int,
    *,
    skill: tuple[float, float] = (1.2, 1.2),
    prevalence: float = 0.3,
    images: int = IMAGES,
) -> Readings:
    shape = runs, patients, images
    read = np.arange(images) < rng.integers(1, images + 1, (runs, patients, 1))
    present = clustered(rng, shape) < ndtri(prevalence)
    shared = clustered(rng, shape)
    noise = np.stack([np.sqrt(0.5) * (shared + clustered(rng, shape)) for _ in skill])
    gain = np.array(skill)[:, None, None, None]
    scores = gain * present + noise
    return Readings(read, present, scores, expit(logit(prevalence) + gain * scores - gain**2 / 2))


def clustered(rng: np.random.Generator, shape: tuple[int, int, int]) -> Floats:
    """Return standard normal numbers, those of one patient correlated by one half."""
    own = rng.standard_normal(shape)
    own += rng.standard_normal((*shape[:2], 1))
    return own * np.sqrt(0.5)


def area(skill: float) -> float:
    """Return the AUROC of normal scores so far apart."""
    return float(ndtr(skill / np.sqrt(2)))
