"""What decides on rate, best epoch and end of a training."""

from __future__ import annotations

import math
from dataclasses import replace

from chexnet.training.recipe import Plateau
from chexnet.training.state import Best, State
from tests.unit.training.recipes import WAVES


def test_a_loss_is_better_when_lower_and_an_auroc_when_higher() -> None:
    for monitor, values in (("val_loss", (0.5, 0.4, 0.6)), ("val_auroc", (0.5, 0.6, 0.4))):
        best = Best(monitor=monitor)
        assert [best.better(value) for value in values] == [True, True, False]
        assert (best.value, best.waited) == (values[1], 1)


def test_no_number_is_never_the_best() -> None:
    best = Best(monitor="val_auroc")
    assert [best.better(value) for value in (math.nan, 0.5, math.nan, 0.6)] == [
        False,
        True,
        False,
        True,
    ]


def test_a_plateau_lowers_the_rate_once_for_each_patience() -> None:
    recipe = replace(WAVES, schedule=Plateau(patience=2, factor=0.1), epochs=99)
    state = State.first(recipe)
    # 0.69995 is no better than 0.7 by what counts as better.
    losses = (0.7, 0.69995, 0.7, 0.7, 0.7, 0.6, 0.6)
    factors = [state.end_epoch({"val_loss": v, "val_auroc": 0.5}, recipe)[1] for v in losses]
    assert factors == [1, 1, 0.1, 1, 0.1, 1, 1]


def test_without_patience_all_epochs_are_done() -> None:
    recipe = replace(WAVES, epochs=3)
    state = State.first(recipe)
    ends = []
    for _ in range(3):
        state.end_epoch({"val_auroc": 0.5, "val_loss": 1.0}, recipe)
        ends.append(state.over(recipe))
    assert ends == [False, False, True]
    assert state.history == {"val_auroc": [0.5] * 3, "val_loss": [1.0] * 3}
