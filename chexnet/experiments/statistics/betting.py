"""A confidence sequence for a mean, by betting: valid at every look, however often one looks.

Somebody who bets that the mean is above m, and at the true mean plays a fair game, rarely ever
grows rich: the capital exceeds 2 / alpha at any time with a probability of at most alpha / 2 (Ville
1939). So each m at which either better once had that much is ruled out, for good. No distribution
is assumed, only bounds, and that the mean of a value, given those before, is the mean asked about.

Source: Waudby-Smith and Ramdas 2024, Journal of the Royal Statistical Society B 86:1, the hedged
capital process of theorem 3 with truncated, predictable stakes. Their own library, confseq, needs a
C++ compiler, calls itself early-stage, and its last release is of January 2023: hence this code.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from chexnet.evaluation.delong import Interval

Floats = NDArray[np.float64]
NEVER_ALL = 0.75  # Of the capital is at stake at most: one value can't ruin a better.
HALVINGS = 40  # Of the reach: to the twelfth digit, and never to the very end.


class Stakes(Struct, frozen=True, kw_only=True):
    """How a sequence of values is bet on.

    Args:
        values: float [..., values]; those of one sequence on the last axis, in order.
        reach: no value is further from 0: one number, or float [..., values], each known before its
            value.
        size: float [..., values], what is bet before the truncation that depends on m.
        rich: the log of the capital that rules an m out.
    """

    values: Floats
    reach: Floats
    size: Floats
    rich: float

    def above(self, mean: float) -> Floats:
        """Return the log capital, after each value, of who bets that the mean is above `mean`."""
        size = np.minimum(self.size, NEVER_ALL / (self.reach + mean))
        grown: Floats = np.cumsum(np.log1p(size * (self.values - mean)), axis=-1)
        return grown

    def below(self, mean: float) -> Floats:
        """Return the log capital, after each value, of who bets that the mean is below `mean`."""
        size = np.minimum(self.size, NEVER_ALL / (self.reach - mean))
        grown: Floats = np.cumsum(np.log1p(-size * (self.values - mean)), axis=-1)
        return grown


def stakes(values: Floats, *, reach: Floats | float, planned: int, confidence: float) -> Stakes:
    """Return the bets on `values`, each fixed by the values before it.

    Args:
        values: float [..., values].
        reach: no value is further from 0; see `Stakes`.
        planned: the number of values at which the sequence shall be narrowest; it is valid at all.
        confidence: of the sequence: the probability that it covers the mean at all times.

    Raises:
        ValueError: a value is out of reach.

    Source: the predictable plug-in of Waudby-Smith and Ramdas 2024 that is tuned to a fixed number
    of values, with their running variance. Its start is a quarter of the reach, as one value: any
    start is valid, a small one is soon corrected. After the planned number the stakes fall with
    the root of the number, so that the sequence goes on narrowing.
    """
    reaches = np.broadcast_to(np.asarray(reach, np.float64), values.shape)
    if (np.abs(values) > reaches * (1 + 1e-12)).any():
        worst = float(np.abs(values / reaches).max())
        rule = "A value that is bet on must be within its reach."
        raise ValueError(f"{rule} Received: one {worst:g} times as far. State a wider bound.")
    number = np.arange(1, values.shape[-1] + 1)
    means = np.cumsum(values, axis=-1) / (number + 1)  # As if a first value had been 0.
    start = reaches[..., :1] / 16
    squares = np.cumsum((values - means) ** 2 / reaches, axis=-1)
    relative = np.concatenate([start, ((start + squares) / (number + 1))[..., :-1]], axis=-1)
    variance = reaches * relative  # As weights of one over a share have it; else reach is constant.
    rich = math.log(2 / (1 - confidence))
    size = np.sqrt(2 * rich / (variance * np.maximum(planned, number)))
    return Stakes(values=values, reach=reaches, size=size, rich=rich)


def bounds(bets: Stakes) -> Interval:
    """Return the mean of one sequence's values, between the limits that all looks so far leave.

    Where `low` is above `high` no constant mean fits: the values drift. Without values nothing is
    ruled out, and the mean is NaN.
    """
    if not bets.values.size:
        return Interval(math.nan, -math.inf, math.inf)
    reach = float(bets.reach.min())
    low = _last(lambda m: bool(bets.above(m).max() >= bets.rich), -reach, reach)
    high = -_last(lambda m: bool(bets.below(-m).max() >= bets.rich), -reach, reach)
    return Interval(float(bets.values.mean()), low, high)


def _last(ruled_out: Callable[[float], bool], start: float, end: float) -> float:
    """Return where `ruled_out`, which holds up to some point, ends: the capital falls with m."""
    for _ in range(HALVINGS):
        middle = (start + end) / 2
        start, end = (middle, end) if ruled_out(middle) else (start, middle)
    return start
