"""A step's learning rate, and what several devices can't do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import tensorflow as tf

from chexnet.data.pipeline import shuffled
from chexnet.errors import ConfigError
from chexnet.inputs.base import load
from chexnet.training import hosts
from chexnet.training.learner import Learner
from chexnet.training.recipe import Adam, Cosine
from tests import datasets
from tests.unit.data.test_dataset import folder_of
from tests.unit.training.recipes import WAVES


@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_cosine_rises_to_the_full_rate_and_ends_at_the_last_step_at_its_final_share(
    tmp_path: Path, accumulate: int
) -> None:
    (tmp_path / "traces").mkdir()
    data = datasets.dataset(folder_of(tmp_path / "traces", 60, seed=1), load("waveform"), tmp_path)
    recipe = replace(
        WAVES,
        optimizer=Adam(learning_rate=0.01),
        schedule=Cosine(warmup=0.25, final=0.1),
        epochs=2,
        accumulate=accumulate,
    )
    learner = Learner(recipe, data, 6, tf.distribute.get_strategy())
    batches = iter(shuffled(data, data.rows("train"), 4, seed=0, flip=False))
    rates = []
    for _ in range(12):
        rates.append(learner.rate)
        learner.step(batches)
    # By hand: 3 steps of warm-up from a tenth, then half a cosine of 8 steps, so that the seventh
    # step after the third (4 of 8) is half way: 0.1 + 0.9 / 2.
    assert rates[0] == pytest.approx(0.001)
    assert max(rates) == rates[3] == pytest.approx(0.01)
    assert rates[7] == pytest.approx(0.01 * 0.55)
    assert rates[-1] == pytest.approx(0.001)


def test_several_devices_do_not_accumulate() -> None:
    two = SimpleNamespace(num_replicas_in_sync=2)
    hosts.check_accumulation(1, two)
    with pytest.raises(ConfigError, match=r"on 2 devices.*Received: accumulate=4"):
        hosts.check_accumulation(4, two)
