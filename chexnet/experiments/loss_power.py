"""How many patients a sequential experiment needs, which may be decided at any look before."""

from __future__ import annotations

import math
from bisect import bisect_left

from msgspec import structs
from scipy.special import log_ndtr, ndtr

from chexnet.experiments import simulated_power
from chexnet.experiments.loss_plan import LossPlan
from chexnet.experiments.statistics.betting import NEVER_ALL

STEPS = 16  # The bets grow as the variance becomes known.
# Patients; where even these are too few the plan is refused. What grows is simulated, in minutes.
LIMIT, LIMIT_GROWING = 10_000_000, 100_000
PLAYED = 10_000  # Up to so many patients a split is played too: their sums are hardly normal yet.
FINE = 64  # Parts of a doubling, to which the number of a plan that is played is rounded up.


def power(plan: LossPlan, patients: int) -> float:
    """Return the probability that the gate opens at some look up to `patients`, in both arms.

    A split that grows, or is small, is played. Else the log capital is taken for a Brownian motion
    with the drift and variance of one bet, whose chance to have crossed a line by a time is that of
    the inverse Gaussian distribution (Cox and Miller 1965, The Theory of Stochastic Processes,
    5.7).
    """
    if plan.growing or (plan.stages and patients <= PLAYED):
        return simulated_power.power(plan, patients)
    return _normal(plan, patients)


def _normal(plan: LossPlan, patients: int) -> float:
    variance, reach = _value(plan)
    effect = plan.difference - plan.margin
    rich = math.log(2 / (1 - plan.confidence))
    drift = spread = 0.0
    relative, seen = reach / 16, 1.0  # The start of `betting.stakes`, as one value.
    come = patients / STEPS
    for _ in range(STEPS):
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
    if plan.growing:
        return _played(plan, _at_least(plan), LIMIT_GROWING)
    high = 2
    while _normal(plan, high) < plan.power:
        if high > LIMIT:
            raise _too_many(LIMIT)
        high *= 2
    found = bisect_left(range(high), True, lo=1, key=lambda n: _normal(plan, n) >= plan.power)
    return _played(plan, found, LIMIT) if plan.stages and found <= PLAYED else found


def _at_least(plan: LossPlan) -> int:
    """Return what the most even stage would need alone."""
    widest = max((share for _, share in plan.stages), key=lambda share: min(share, 1 - share))
    return patients_for_power(structs.replace(plan, stages=((1.0, widest),)))


def _played(plan: LossPlan, high: int, limit: int) -> int:
    """Return the first number that is enough, from half of `high` on, in steps of a few percent."""
    while high <= limit and power(plan, high) < plan.power:
        high *= 2
    if high > limit:
        raise _too_many(limit)
    numbers = range(high // 2, high, max(1, high // 2 // FINE))
    place = bisect_left(numbers, True, key=lambda n: power(plan, n) >= plan.power)
    return numbers[place] if place < len(numbers) else high


def _too_many(limit: int) -> ValueError:
    rule = f"An experiment must be decided within {limit:,} patients."
    return ValueError(f"{rule} Received: a plan that needs more. Expect more, or pair.")


def _value(plan: LossPlan) -> tuple[float, float]:
    """Return the variance and the reach of one patient's value."""
    if not plan.stages:
        return plan.spread**2, plan.bound
    ((_, one),) = plan.stages
    other = 1 - one
    within = plan.spread**2 / (one * other)
    between = plan.difference**2 * (one**2 / other + other**2 / one - 1)
    return within + between, max(plan.loss, plan.bound - plan.loss) / min(one, other)
