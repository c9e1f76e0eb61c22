"""The sample-ratio test: whether patients came to the arms in the shares they were assigned."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.special import gammaln

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
WEIGHT = 100.0  # Patients that the prior is worth: tuned to shares that are a few points off.


class Stage(Struct, frozen=True, kw_only=True):
    """One exposure of an experiment, and who was first seen under it.

    Args:
        exposure: the share of units that were included.
        shares: arm → the share of all units that it should have; they sum to 1.
        patients: arm → patients whose first exposure it was.
    """

    exposure: float
    shares: dict[str, float]
    patients: dict[str, int]


class Ratio(Struct, frozen=True, kw_only=True):
    """What the test says of all stages: `p` may be looked at after each patient."""

    stages: tuple[Stage, ...]
    p: float
    alpha: float

    @property
    def alarm(self) -> bool:
        """Say whether the shares are not those that were assigned: results can't be trusted."""
        return self.p <= self.alpha


def ratio(stages: Sequence[Stage], alpha: float) -> Ratio:
    """Test all stages together.

    A patient counts once, in the stage of the first exposure, so that the stages are independent
    and their evidence multiplies. `p` uses the evidence as it is now: a test that was looked at
    before, and alarmed, has alarmed.

    Raises:
        ValueError: a stage's shares don't sum to 1, or a patient is in an arm that has none.
    """
    total = 0.0
    for stage in stages:
        arms = sorted(stage.shares)
        shares = np.array([stage.shares[arm] for arm in arms])
        if abs(shares.sum() - 1) > 1e-9 or not set(stage.patients) <= set(arms):
            rule = "The shares of a stage must sum to 1, and its patients be in arms that have one."
            received = f"Received: {stage.shares}, with patients {stage.patients}."
            raise ValueError(f"{rule} {received} Take the shares from the control of that stage.")
        counts = np.array([stage.patients.get(arm, 0) for arm in arms])
        total += float(evidence(counts[None], shares)[0])
    return Ratio(stages=tuple(stages), p=min(1.0, math.exp(min(-total, 0.0))), alpha=alpha)


def evidence(counts: Counts, shares: Floats) -> Floats:
    """Return the log of the evidence against `shares`.

    Args:
        counts: int [..., arms], patients so far.
        shares: float [arms], above 0; they sum to 1.

    Returns:
        float [...], the log Bayes factor of a Dirichlet prior around the shares against the shares
        themselves. Under the shares it ever exceeds log(1 / alpha) with a probability of at most
        alpha, however often one looks.

    Source: Lindon and Malek 2022, Anytime-valid inference for multinomial count data, NeurIPS 35.
    """
    prior = WEIGHT * shares
    number = counts.sum(axis=-1)
    seen = gammaln(prior + counts) - gammaln(prior) - counts * np.log(shares)
    total: Floats = gammaln(WEIGHT) - gammaln(WEIGHT + number) + seen.sum(axis=-1)
    return total
