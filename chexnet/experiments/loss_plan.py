"""What is expected of an experiment that its losses decide."""

from __future__ import annotations

from msgspec import Struct


class LossPlan(Struct, frozen=True, kw_only=True):
    """The question that a planner answers.

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

    @property
    def growing(self) -> bool:
        """Whether the exposure grows on the way."""
        return len(self.stages) > 1
