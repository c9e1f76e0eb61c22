"""The power of a small split, or of one whose exposure grows, by playing it.

In the first stages of a canary few are in the challenger's arm, and their losses are weighted up to
a hundredfold: far from a normal distribution, which `loss_power` takes the sum of many bets for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from chexnet.experiments.loss_plan import LossPlan
from chexnet.experiments.statistics.assigned import differences
from chexnet.experiments.statistics.betting import stakes

Floats = NDArray[np.float64]
RUNS = 1000  # A Monte-Carlo error of 1.3 points at a power of 80 %.
TOGETHER = 100_000  # Values that are simulated at once: they fit a processor's cache.
POOL = 50_000  # Losses of each arm to draw from.


def power(plan: LossPlan, patients: int) -> float:
    """Return in which part of the runs the gate opens at some look up to `patients`.

    Losses are drawn from beta distributions that have the plan's means and spread.
    """
    rng = np.random.default_rng(0)
    share = _shares(plan, patients)
    half = plan.difference / 2
    pools = [_losses(rng, plan, plan.loss + side) for side in (half, -half)]
    at_once = max(1, TOGETHER // patients)
    opened = sum(_opened(rng, plan, share, pools, runs) for runs in _chunks(RUNS, at_once))
    return opened / RUNS


def _shares(plan: LossPlan, patients: int) -> Floats:
    """Return the challenger's share, [patients], at each one's first image."""
    parts, shares = np.array(plan.stages).T
    ends = np.cumsum(parts)[:-1] * patients
    found: Floats = shares[np.searchsorted(ends, np.arange(patients), side="right")]
    return found


def _chunks(of: int, most: int) -> Iterable[int]:
    return (min(most, of - done) for done in range(0, of, most))


def _opened(
    rng: np.random.Generator, plan: LossPlan, share: Floats, pools: Sequence[Floats], runs: int
) -> int:
    drawn = rng.random((runs, len(share))) < share
    which = rng.integers(POOL, size=drawn.shape)
    champion, challenger = (pool[which] for pool in pools)
    loss = np.where(drawn, challenger, champion)
    values, reach = differences(loss, drawn, np.broadcast_to(share, drawn.shape), plan.bound)
    bets = stakes(values, reach=reach, planned=len(share), confidence=plan.confidence)
    opened = (bets.above(plan.margin) >= bets.rich).any(axis=1)
    return int(opened.sum())


def _losses(rng: np.random.Generator, plan: LossPlan, mean: float) -> Floats:
    """Return losses within the plan's bound, [POOL], of this mean and the plan's spread.

    A mean that is out of the bound, or a spread that no distribution in it has, is the nearest that
    one has.
    """
    middle = min(max(mean / plan.bound, 1e-6), 1 - 1e-6)
    evidence = max(middle * (1 - middle) * (plan.bound / plan.spread) ** 2 - 1, 1e-3)
    drawn = rng.beta(middle * evidence, (1 - middle) * evidence, POOL)
    exact: Floats = np.minimum(drawn * (middle / drawn.mean()), 1)  # Else chance would move it.
    return plan.bound * exact
