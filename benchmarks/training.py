"""Training: its loop against bare keras `fit`, and how fast phantoms become a dataset.

python -m benchmarks.training [--images 1000]

Each ratio is a gate (0.95). One side is the loop as `chexnet train` runs it: deterministic,
shuffled, flipped, with checkpoints, TensorBoard and progress. The other is `fit` of the same model
on batches of the same size, free of all that, from tensors in memory. They take turns in one
process, and an epoch's validation is of neither.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from tensorflow.python.util import _pywrap_determinism as determinism

from chexnet.data import phantoms
from chexnet.data.checkout import Dataset
from chexnet.inputs.base import load
from chexnet.training import recipe as recipes
from chexnet.training.board import Board
from chexnet.training.checkpoint import Checkpoint
from chexnet.training.learner import build
from chexnet.training.loop import Training
from chexnet.training.loss import MaskedCrossentropy
from chexnet.training.progress import Log, Progress
from chexnet.training.recipe import Recipe
from tests import datasets

GATE = 0.95
ROUNDS = 5  # Epochs that count; the first one traces.
RECIPES = {  # Steps of an epoch, and how.
    "small_cnn at 112, batch 32": (20, replace(recipes.load("demo_b"), flip=True)),
    "densenet121 at 56, batch 16": (
        10,
        replace(recipes.load("chexnet"), weights=None, options={"resolution": 56}),
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    images = parser.parse_args().images
    with tempfile.TemporaryDirectory() as scratch:
        rate = _draw(Path(scratch) / "phantoms", images)
        print(f"phantoms, 512x512 as PNG: {rate:.0f} images/s on one core")
        data, seconds = _dataset(Path(scratch))
        print(f"dataset: {images / seconds:.0f} images/s through clean and decode on one core")
        ratios = {}
        for name, (steps, recipe) in RECIPES.items():
            turns = _Turns(data, recipe, steps, Path(scratch) / recipe.model)
            ours, bare = turns.rates()
            ratios[name] = ours / bare
            print(f"{name}: loop / fit {ours / bare:.3f} ({ours:.2f} / {bare:.2f} steps/s)")
            print(f"  peak resident memory until then: {turns.peak:.0f} MB, without fit")
    slow = {name: round(ratio, 3) for name, ratio in ratios.items() if ratio < GATE}
    assert not slow, f"The loop must make {GATE} of fit's steps. Received: {slow}."


def _draw(folder: Path, images: int) -> float:
    planned = phantoms.plan(images, seed=0)
    for phantom in planned[:50]:
        phantoms.render(phantom)
    began = time.process_time()
    for phantom in planned[:50]:
        phantoms.png(phantoms.render(phantom))
    rate = 50 / (time.process_time() - began)
    for _ in phantoms.write(folder, planned, processes=1):
        pass
    return rate


def _dataset(folder: Path) -> tuple[Dataset, float]:
    began = time.perf_counter()
    data = datasets.dataset(folder / "phantoms", load("chest_xray"), folder)
    return data, time.perf_counter() - began


class _Turns:
    """One training whose epochs alternate with those of `fit`."""

    def __init__(self, data: Dataset, recipe: Recipe, steps: int, folder: Path) -> None:
        self._data, self._steps, self._folder = data, steps, folder
        self._recipe = replace(
            recipe, epochs=ROUNDS + 1, steps_per_epoch=steps, judged=recipe.batch_size
        )
        self._log = Log(lambda _: None)
        self._began = 0.0
        self._ours: list[float] = []
        self._bare: list[float] = []
        self._fit: Callable[[], None] | None = None
        self.peak = 0.0

    def rates(self) -> tuple[float, float]:
        """Return steps a second of the loop and of `fit`: medians."""
        kept = Checkpoint(self._folder, "run")
        Training(self._recipe, self._data, kept, self._told).run(Board(self._folder / "runs"))
        # The first step of an epoch only starts the clock.
        return (self._steps - 1) / _median(self._ours), self._steps / _median(self._bare)

    def _told(self, now: Progress) -> None:
        self._log(now)
        if now.ends_epoch:
            self._turn()
        elif now.step == 1:
            self._began = time.perf_counter()
        elif now.step == self._steps:
            self._ours.append(time.perf_counter() - self._began)

    def _turn(self) -> None:
        if self._fit is None:  # The training has traced, stepped and judged, and fit not begun.
            self.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            self._fit = self._made()
        determinism.enable(False)
        began = time.perf_counter()
        self._fit()
        self._bare.append(time.perf_counter() - began)
        determinism.enable(True)

    def _made(self) -> Callable[[], None]:
        model = build(self._recipe, self._data, weights=None)
        fitted = keras.Model(model.input, model.output["logits"])
        fitted.compile(optimizer="adam", loss=MaskedCrossentropy())
        batch = self._recipe.batch_size
        rows = self._data.rows("train")[: batch * self._steps]
        x = keras.ops.convert_to_tensor(self._data.x[rows])
        y = keras.ops.convert_to_tensor(self._data.y[rows])
        return lambda: fitted.fit(x, y, batch_size=batch, verbose=0) and None


def _median(seconds: list[float]) -> float:
    return float(np.median(seconds[1:]))


if __name__ == "__main__":
    main()
