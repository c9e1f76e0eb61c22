"""How many cases an experiment needs: planned before it starts, since it may be read once."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence

from msgspec import Struct
from scipy.special import bdtrc, ndtr, ndtri, owens_t

LIMIT = 10_000_000  # Cases; where even these are too few the plan is refused.


class Plan(Struct, frozen=True, kw_only=True):
    """What is expected of an experiment.

    Args:
        champion, challenger: the macro AUROCs that are expected.
        prevalence: the share of cases with the finding, one number per label.
        paired: True for shadow: both arms see every case.
        arm_correlation: between the two arms' AUROC estimates on the same cases; 0.5 is cautious
            for two networks trained on the same kind of data.
        label_correlation: between the estimates of two labels; 0 where findings are independent.
        images: cases per patient, on average.
        patient_correlation: between the cases of one patient.
        confidence, power, margin: of the test; challenger - champion must exceed the margin.
        min_positive: patients that each label needs on both sides, or it leaves the macro.
    """

    champion: float
    challenger: float
    prevalence: Sequence[float]
    paired: bool = True
    arm_correlation: float = 0.5
    label_correlation: float = 0.1
    images: float = 1.0
    patient_correlation: float = 0.5
    confidence: float = 0.95
    power: float = 0.8
    margin: float = 0.0
    min_positive: int = 10


def variance(area: float, positive: float, negative: float) -> float:
    """Return the variance of an AUROC from its value and the rows on both sides.

    Source: Hanley and McNeil 1982, Radiology 143:29, equation 1. Their Q1 = Q2, the chance that two
    rows of one side both win over one of the other, is that of normal scores of equal variance:
    exact by Owen's T (1956, Annals of Mathematical Statistics 27:1075). With their exponential
    scores a plan of 80 % power opened the gate in 86 % of simulated experiments.
    """
    both = area - 2 * float(owens_t(ndtri(area), 3**-0.5))
    return (area * (1 - area) + (positive + negative - 2) * (both - area**2)) / (
        positive * negative
    )


def standard_error(plan: Plan, cases: int) -> float:
    """Return the standard error of the macro difference with this many cases in each arm."""
    design = 1 + (plan.images - 1) * plan.patient_correlation
    champion, challenger = (
        _macro_variance(area, plan, cases / design) for area in (plan.champion, plan.challenger)
    )
    shared = plan.arm_correlation * math.sqrt(champion * challenger) if plan.paired else 0.0
    return math.sqrt(champion + challenger - 2 * shared)


def _macro_variance(area: float, plan: Plan, cases: float) -> float:
    errors = [math.sqrt(variance(area, cases * p, cases * (1 - p))) for p in plan.prevalence]
    own = sum(e * e for e in errors)
    joint = sum(errors) ** 2 - own
    return (own + plan.label_correlation * joint) / len(errors) ** 2


def cases_for_power(plan: Plan) -> int:
    """Return the cases per arm with which the gate opens with probability `plan.power`.

    Raises:
        ValueError: no number of cases is enough, as the effect does not exceed the margin.
    """
    effect = plan.challenger - plan.champion - plan.margin
    if effect <= 0:
        rule = "The expected difference must exceed the margin."
        received = f"{plan.challenger - plan.champion:.3f} with a margin of {plan.margin}"
        raise ValueError(f"{rule} Received: {received}. Expect more, or lower the margin.")
    z = ndtri((1 + plan.confidence) / 2) + ndtri(plan.power)
    return _smallest(plan, effect / z)


def cases_for_width(plan: Plan, half_width: float) -> int:
    """Return the cases per arm for which the interval is the difference ± `half_width`."""
    return _smallest(plan, half_width / ndtri((1 + plan.confidence) / 2))


def power(plan: Plan, cases: int) -> float:
    """Return the probability that the gate opens with this many cases per arm."""
    z = ndtri((1 + plan.confidence) / 2)
    effect = plan.challenger - plan.champion - plan.margin
    return float(ndtr(effect / standard_error(plan, cases) - z))


def cases_for_labels(plan: Plan, certainty: float = 0.9) -> int:
    """Return the cases with which all labels stay in the macro with this probability.

    The rarer side of each label must reach `min_positive` patients; patients with several images
    count once.
    """
    each = certainty ** (1 / len(plan.prevalence))
    rare = [min(p, 1 - p) for p in plan.prevalence]

    def enough(cases: int) -> bool:
        patients = int(cases / plan.images)
        return all(bdtrc(plan.min_positive - 1, patients, p) >= each for p in rare)

    return _first(enough, plan)


def _smallest(plan: Plan, error: float) -> int:
    precise = _first(lambda n: standard_error(plan, n) <= error, plan)
    return max(precise, cases_for_labels(plan))


def _first(enough: Callable[[int], bool], plan: Plan) -> int:
    """Return the smallest number of cases that is enough, where more always are."""
    rarest = min(min(p, 1 - p) for p in plan.prevalence)
    low = math.ceil(2 * plan.images / rarest)  # Fewer than two rows a side say nothing.
    high = max(2 * low, 2)
    while not enough(high):
        if high > LIMIT:
            rule = f"An experiment must be decided within {LIMIT:,} cases."
            raise ValueError(f"{rule} Received: a plan that needs more. Ask for less precision.")
        high *= 2
    return bisect_left(range(high), True, lo=low, key=enough)
