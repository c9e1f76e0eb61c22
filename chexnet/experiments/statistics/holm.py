"""Several findings or arms tested at once: what keeps one of them from being right by chance."""

from __future__ import annotations

from collections.abc import Mapping

from scipy.special import ndtr

from chexnet.evaluation.delong import Estimate


def shared(confidence: float, tests: int) -> float:
    """Return the confidence of each of so many intervals, of which all hold with `confidence`.

    Source: Bonferroni's inequality, as in Dunn 1961, JASA 56:52.
    """
    return 1 - (1 - confidence) / tests


def p_value(difference: Estimate, margin: float) -> float:
    """Return the two-sided p of a difference against the margin, by its normal distribution.

    Where no patient tells the two apart, the variance is 0: p is 1 at the margin, else 0.
    """
    distance = abs(difference.value - margin)
    if difference.variance <= 0:
        return float(distance == 0)
    return float(2 * ndtr(-distance / difference.variance**0.5))


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Return each name's p, adjusted for all of them.

    Those at or below alpha are rejected, and the probability that one or more of them should not
    have been is at most alpha, whatever depends on what.

    Source: Holm 1979, Scandinavian Journal of Statistics 6:65.
    """
    adjusted: dict[str, float] = {}
    largest = 0.0
    for step, (name, value) in enumerate(sorted(p.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, (len(p) - step) * value))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p}
