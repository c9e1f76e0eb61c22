"""Training: its loop against bare keras `fit`, phantoms, and what a network sees beyond pixels.

python -m benchmarks.training [--images 1500]

The first ratio is a gate (0.95). Both sides take the same number of steps of the same model and
batch, turn by turn in one process; bare `fit` has its images in memory as tensors.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from chexnet.data import phantoms
from chexnet.data.checkout import Dataset
from chexnet.data.pipeline import shuffled
from chexnet.evaluation.auroc import auroc, macro
from chexnet.inputs.base import load
from chexnet.models import base
from chexnet.training import recipe as recipes
from chexnet.training.board import Board
from chexnet.training.loop import train
from chexnet.training.loss import MaskedCrossentropy
from chexnet.training.scoring import areas
from tests import datasets

BATCH, STEPS, ROUNDS = 32, 20, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1500)
    images = parser.parse_args().images
    with tempfile.TemporaryDirectory() as scratch:
        rate = _draw(Path(scratch) / "phantoms", images)
        print(f"phantoms, 512x512 as PNG: {rate:.0f} images/s on one core")
        data, seconds = _dataset(Path(scratch))
        print(f"dataset: {images / seconds:.0f} images/s through clean and decode on one core")
        ours, bare = _step_rates(data)
        print(f"pipeline / fit on tensors: {ours / bare:.3f} ({ours:.1f} / {bare:.1f} steps/s)")
        print(f"mean AUROC on held-out patients, {len(data.rows('train'))} training images:")
        print(f"  logistic regression, 32x32 pixels: {_logistic(data):.3f}")
        for config in ("demo_worse", "demo_a", "demo_b"):
            area, took = _network(config, data, Path(scratch) / "runs" / config)
            print(f"  {config}: {area:.3f}, {took:.0f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak resident memory: {peak:.0f} MB")


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


def _step_rates(data: Dataset) -> tuple[float, float]:
    """Return steps a second of the project's pipeline and of tensors in memory: medians."""
    learner = _learner(data)
    rows = data.rows("train")[: BATCH * STEPS]
    ours = shuffled(data, rows, BATCH, seed=0, flip=False)
    x, y = keras.ops.convert_to_tensor(data.x[rows]), keras.ops.convert_to_tensor(data.y[rows])

    def by_pipeline() -> None:
        learner.fit(ours, steps_per_epoch=STEPS, verbose=0, shuffle=False)

    def by_tensors() -> None:
        learner.fit(x, y, batch_size=BATCH, verbose=0)

    taken = {turn: [] for turn in (by_pipeline, by_tensors)}
    for _ in range(ROUNDS + 1):
        for turn, seconds in taken.items():
            began = time.perf_counter()
            turn()
            seconds.append(time.perf_counter() - began)
    ours_s, bare_s = (float(np.median(s[1:])) for s in taken.values())  # The first traces.
    return STEPS / ours_s, STEPS / bare_s


def _learner(data: Dataset) -> keras.Model:
    recipe = recipes.load("demo_b")
    network = base.load(recipe.model)
    model = network.build(data.index.shape, data.index.labels, weights=None, **recipe.options)
    learner = keras.Model(model.input, model.output["logits"])
    learner.compile(optimizer="adam", loss=MaskedCrossentropy())
    return learner


def _logistic(data: Dataset) -> float:
    small = np.stack(
        [
            np.asarray(Image.fromarray(image[..., 0]).resize((32, 32), Image.Resampling.BOX))
            for image in data.x
        ]
    )
    x = StandardScaler().fit_transform(small.reshape(len(small), -1).astype(float))
    learn, judge = data.rows("train"), data.rows("test")
    found = []
    for column in data.y.T:
        model = LogisticRegression(C=1e-3, max_iter=300).fit(x[learn], column[learn])
        found.append(auroc(model.decision_function(x[judge]), column[judge] == 1))
    return macro(found)


def _network(config: str, data: Dataset, folder: Path) -> tuple[float, float]:
    began = time.perf_counter()
    trained = train(recipes.load(config), data, Board(folder), lambda _: None)
    took = time.perf_counter() - began
    judge = data.rows("test")
    return macro(areas(trained.scorer.score(data, judge).logits, data.y[judge])), took


if __name__ == "__main__":
    main()
