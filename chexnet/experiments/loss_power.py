"""How many patients a sequential experiment needs, which may be decided at any look before."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator

from msgspec import Struct
from scipy.special import log_ndtr, ndtr

from chexnet.experiments.statistics.betting import NEVER_ALL

STEPS = 16  # Of a stage: the bets grow as the variance becomes known.
LIMIT = 10_000_000  # Patients; where even these are too few the plan is refused.


class LossPlan(Struct, frozen=True, kw_only=True):
    """What is expected of an experiment that its losses decide.

    Args:
        difference: the champion's mean loss less the challenger's.
        spread: the standard deviation over patients: paired, of a patient's difference between the
            two; in a split, of a patient's loss. An earlier experiment's status has it.
        stages: of a split: the part of the patients that comes in each, and the challenger's share
            of those of the two arms. Parts sum to 1. Without any it is paired.
        loss: the mean loss; a split needs it.
        bound: what one patient counts at most; with a worklist, ten times that.
        confidence, power, margin: of the test; the difference must exceed the margin.
    """

    difference: float
    spread: float
    stages: tuple[tuple[float, float], ...] = ()
    loss: float = 0.1
    bound: float = 1.0
    confidence: float = 0.95
    power: float = 0.8
    margin: float = 0.0


def power(plan: LossPlan, patients: int) -> float:
    """Return the probability that the gate opens at some look up to `patients`, in both arms.

    The log capital is taken for a Brownian motion with the drift and variance of one bet, whose
    chance to have crossed a line by a time is that of the inverse Gaussian distribution (Cox and
    Miller 1965, The Theory of Stochastic Processes, 5.7). Of stages it has the drift and variance
    of all together: their bets are sized so that each adds about as much variance.
    """
    effect = plan.difference - plan.margin
    rich = math.log(2 / (1 - plan.confidence))
    steps = [
        (part / STEPS, variance, reach)
        for part, variance, reach in _values(plan)
        for _ in range(STEPS)
    ]
    drift = spread = 0.0
    relative, seen = steps[0][2] / 16, 1.0  # The start of `betting.stakes`, as one value.
    for part, variance, reach in steps:
        come = part * patients
        usual = reach * (relative + come / 2 * variance / reach) / (seen + come / 2)
        size = min(math.sqrt(2 * rich / (usual * patients)), NEVER_ALL / (reach + plan.margin))
        drift += come * (size * effect - size**2 * (variance + effect**2) / 2)
        spread += come * size**2 * variance
        relative, seen = relative + come * variance / reach, seen + come
    end = math.sqrt(spread)
    reflected = 2 * drift * rich / spread + float(log_ndtr((-drift - rich) / end))
    return float(ndtr((drift - rich) / end)) + math.exp(reflected)


def patients_for_power(plan: LossPlan) -> int:
    """Return the patients, in both arms together, to plan for.

    Raises:
        ValueError: no number is enough, as the difference does not exceed the margin.
    """
    if plan.difference <= plan.margin:
        rule = "The expected difference must exceed the margin."
        received = f"{plan.difference:g} with a margin of {plan.margin:g}"
        raise ValueError(f"{rule} Received: {received}. Expect more, or lower the margin.")
    high = 2
    while power(plan, high) < plan.power:
        if high > LIMIT:
            rule = f"An experiment must be decided within {LIMIT:,} patients."
            raise ValueError(f"{rule} Received: a plan that needs more. Expect more, or pair.")
        high *= 2
    return bisect_left(range(high), True, lo=1, key=lambda n: power(plan, n) >= plan.power)


def _values(plan: LossPlan) -> Iterator[tuple[float, float, float]]:
    """Yield, of each stage, its part of the patients, and their values' variance and reach."""
    if not plan.stages:
        yield 1.0, plan.spread**2, plan.bound
    for part, one in plan.stages:
        other = 1 - one
        within = plan.spread**2 / (one * other)
        between = plan.difference**2 * (one**2 / other + other**2 / one - 1)
        yield part, within + between, max(plan.loss, plan.bound - plan.loss) / min(one, other)
