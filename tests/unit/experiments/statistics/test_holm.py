"""Several arms at once: the error that is allowed is for all of them."""

from __future__ import annotations

import numpy as np
import pytest

from chexnet.experiments.statistics.betting import stakes
from chexnet.experiments.statistics.holm import shared


def test_one_arm_has_all_of_it_and_four_a_fourth() -> None:
    assert shared(0.95, 1) == 0.95
    assert shared(0.95, 4) == pytest.approx(0.9875)


def test_of_four_equal_arms_the_gate_opens_for_one_no_more_often_than_for_one() -> None:
    rng = np.random.default_rng(0)
    champion = rng.normal(0, 0.3, (600, 1, 150))
    arms = np.clip(champion - rng.normal(0, 0.3, (600, 4, 150)), -1, 1)

    def opened(confidence: float) -> float:
        bets = stakes(arms, reach=1.0, planned=150, confidence=confidence)
        return float((bets.above(0.0) >= bets.rich).any(axis=(1, 2)).mean())

    plain, corrected = opened(0.95), opened(shared(0.95, 4))
    assert corrected <= 0.025 < plain
