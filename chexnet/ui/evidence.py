"""An experiment's evidence for the page: what decides first, then what only describes."""

from __future__ import annotations

from typing import Any

from chexnet.evaluation.delong import Interval
from chexnet.experiments.review import Finding, Review

PEEKING = "Not valid under peeking: read these once, at the planned cases. They decide nothing."


def told(review: Review) -> dict[str, Any]:
    """Return a review as the page draws it."""
    return {
        "problem": "",
        "peeking": PEEKING,
        "arms": [_arm(arm, finding) for arm, finding in review.arms.items()],
    }


def _arm(arm: str, finding: Finding) -> dict[str, Any]:
    c = finding.comparison
    macro = {"name": f"Macro AUROC, {arm} - champion", **_bounds(c.difference)}
    sequence = c.sequential.difference if c.sequential else None
    brier = {"name": f"Brier loss, champion - {arm}", **_bounds(sequence)}
    by_sequence = c.metric == "brier"
    return {
        "arm": arm,
        "decides": brier if by_sequence else macro,
        "anytime": by_sequence,
        "margin": c.margin,
        "confidence": c.confidence,
        "cases": c.cases,
        "missing": list(finding.missing),
        "describes": [
            *([macro] if by_sequence else []),
            *({"name": label.name, **_bounds(label.difference)} for label in c.labels),
        ],
    }


def _bounds(interval: Interval | None) -> dict[str, float | None]:
    if interval is None:
        return {"value": None, "low": None, "high": None}
    return {"value": interval.value, "low": interval.low, "high": interval.high}
