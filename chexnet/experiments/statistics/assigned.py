"""One value per patient of a split, whose mean is the difference between the arms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def differences(
    loss: Floats, challenger: Bools, share: Floats, bound: float
) -> tuple[Floats, Floats]:
    """Return values whose mean is the champion's mean loss less the challenger's, and their reach.

    Args:
        loss: float [..., patients], 0 to `bound`, in the arm that the patient was assigned to; in
            the order of assignment.
        challenger: bool [..., patients], whether that was the challenger.
        share: float [..., patients], the probability of that: not 0 or 1. It may grow with the
            exposure, as long as it was known before the patient came.
        bound: of the losses.

    Raises:
        ValueError: a share is 0 or 1.

    Source: inverse-probability weights (Horvitz and Thompson 1952, JASA 47:663) of the loss less
    the mean loss of the patients before: that changes no expectation, and removes most of the
    variance, as does the augmentation of Robins, Rotnitzky and Zhao 1994, JASA 89:846.
    """
    if not ((share > 0) & (share < 1)).all():
        rule = "In a split each arm must have a share of the patients, between 0 and 1."
        raise ValueError(f"{rule} Received: {share.min():g} to {share.max():g}. Leave those out.")
    number = np.arange(1, loss.shape[-1] + 1)
    means = np.cumsum(loss, axis=-1) / (number + 1)  # As if a first loss had been 0.
    centre = np.concatenate([np.zeros_like(loss[..., :1]), means[..., :-1]], axis=-1)
    weight = np.where(challenger, -1 / share, 1 / (1 - share))
    reach = np.maximum(centre, bound - centre) / np.minimum(share, 1 - share)
    return weight * (loss - centre), reach
