"""The confidence sequence: by hand, its laws, and its promises by simulation."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chexnet.experiments.statistics.assigned import differences
from chexnet.experiments.statistics.betting import bounds, stakes

SEQUENCES = arrays(np.float64, st.integers(1, 30), elements=st.floats(-1, 1))


def bet(values, planned=500, reach=1.0):
    return stakes(np.asarray(values, float), reach=reach, planned=planned, confidence=0.95)


def test_two_bets_by_hand() -> None:
    # 2 log 40 = 7.377759. First stake: variance (1/4)^2 over 100 planned values: 1.0865, which is
    # cut to 3/4 at mean 0. Second: the mean of 0 and 0.2 is 0.1, variance (1/16 + 0.01) / 2 =
    # 0.03625: sqrt(7.377759 / 3.625) = 1.4266, cut to 3/4 too. (1 + 0.15) (1 - 0.3) = 0.805.
    assert bet([0.2, -0.4], planned=100).above(0.0) == pytest.approx(
        [math.log(1.15), math.log(0.805)]
    )
    # 10,000 planned values: 0.10865 and 0.14266; (1 - 0.02173) (1 + 0.057064) = 1.034094.
    below = bet([0.2, -0.4], planned=10_000).below(0.0)
    assert below == pytest.approx([math.log(0.97827), math.log(1.034094)], abs=1e-5)


@given(SEQUENCES, st.data())
def test_no_value_changes_a_stake_before_it(values, data) -> None:
    cut = data.draw(st.integers(1, len(values)))
    assert np.array_equal(bet(values).size[:cut], bet(values[:cut]).size)


@settings(deadline=None)
@given(SEQUENCES)
def test_a_later_look_never_takes_back_what_an_earlier_one_ruled_out(values) -> None:
    looks = [bounds(bet(values[:n])) for n in range(1, len(values) + 1)]
    assert all(a.low <= b.low + 1e-12 for a, b in pairwise(looks))
    assert all(a.high >= b.high - 1e-12 for a, b in pairwise(looks))


@settings(deadline=None)
@given(SEQUENCES)
def test_the_limits_mirror(values) -> None:
    one, other = bounds(bet(values)), bounds(bet(-values))
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-9)


def test_the_low_limit_is_where_the_better_grew_rich() -> None:
    values = np.random.default_rng(3).normal(0.05, 0.1, 800).clip(-1, 1)
    found = bounds(bet(values))
    assert bet(values).above(found.low).max() == pytest.approx(math.log(40), abs=1e-6)
    assert found.low < 0.05 < found.high


def test_nothing_seen_rules_nothing_out() -> None:
    found = bounds(bet([]))
    assert (found.low, found.high) == (-math.inf, math.inf)


def test_a_value_out_of_reach_is_refused() -> None:
    with pytest.raises(ValueError, match=r"within its reach\. Received: one 1\.5 times"):
        bet([1.5])


def test_continuous_peeking_finds_what_is_not_there_at_most_as_often_as_stated() -> None:
    # Losses of a rare finding: far from normal, mostly tiny, sometimes near 1.
    rng = np.random.default_rng(0)
    either = rng.beta(0.3, 3, (2, 2000, 600))
    bets = bet(either[0] - either[1], planned=300)
    found = (bets.above(0.0).max(axis=1) >= bets.rich) | (bets.below(0.0).max(axis=1) >= bets.rich)
    assert found.mean() <= 0.05
    fixed = np.abs(np.cumsum(bets.values, axis=1)) / np.sqrt(np.cumsum(bets.values**2, axis=1))
    assert (fixed[:, 20:].max(axis=1) > 1.96).mean() > 0.25  # What an interval that may not do.


def test_a_split_has_the_mean_of_its_arms_difference_under_any_shares() -> None:
    rng = np.random.default_rng(1)
    share = np.repeat([0.05, 0.25, 0.5], 400)
    challenger = rng.random((2000, 1200)) < share
    loss = rng.beta(2, 10, challenger.shape) * np.where(challenger, 0.5, 1)  # Means 1/12, 1/6.
    values, reach = differences(loss, challenger, np.broadcast_to(share, loss.shape), 1.0)
    error = values.mean(axis=1).std() / math.sqrt(2000)
    assert values.mean() == pytest.approx(1 / 12, abs=4 * error)
    bets = bet(values, planned=1200, reach=reach)
    missed = bets.above(1 / 12).max(axis=1) >= bets.rich
    missed |= bets.below(1 / 12).max(axis=1) >= bets.rich
    assert missed.mean() <= 0.05
    assert (bets.above(0.0).max(axis=1) >= bets.rich).mean() > 0.9


def test_a_split_with_one_arm_is_refused() -> None:
    with pytest.raises(ValueError, match=r"between 0 and 1\. Received: 1 to 1"):
        differences(np.array([0.1]), np.array([True]), np.array([1.0]), 1.0)
