"""What networks see in phantoms beyond pixels, on patients that they never saw.

python -m benchmarks.phantoms [--images 6000] [--epochs 6]

At the default contrast DenseNet-121, which looks at 112 by 112 pixels and starts from random
weights, must reach a mean AUROC above 0.95, and logistic regression on 32 by 32 pixels stay below
0.75: then phantoms are neither noise nor a riddle that pixels alone give away. The networks of the
demo stand beside them. About a quarter of an hour on two cores.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from chexnet.data import phantoms
from chexnet.data.checkout import Dataset
from chexnet.evaluation.auroc import auroc, macro
from chexnet.inputs.base import load
from chexnet.training import recipe as recipes
from chexnet.training.board import Board
from chexnet.training.checkpoint import Checkpoint
from chexnet.training.loop import Training
from chexnet.training.progress import Log
from chexnet.training.recipe import Adam, Cosine, Recipe
from chexnet.training.scoring import areas
from tests import datasets

REACHED, BELOW = 0.95, 0.75
DENSENET = Recipe(
    model="densenet121",
    options={"resolution": 112},
    optimizer=Adam(learning_rate=1e-3),
    schedule=Cosine(),
    batch_size=32,
    keep_best="val_auroc",
)
DEMOS = ("demo_worse", "demo_a", "demo_b")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--epochs", type=int, default=6)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        data = _drawn(folder, given.images)
        counts = {split: len(data.rows(split)) for split in ("train", "validation", "test")}
        print(f"{given.images} phantoms at the default contrast: {counts}")
        named = {config: recipes.load(config) for config in DEMOS}
        named["DenseNet-121 at 112x112"] = replace(DENSENET, epochs=given.epochs)
        found = {"logistic regression on 32x32": _logistic(data)}
        for name, recipe in named.items():
            found[name] = _network(recipe, data, folder / name)
    worst, best = (macro(list(areas)) for areas in (next(iter(found.values())), found[name]))
    print(f"mean AUROC of {name}: {best:.3f}, of logistic regression: {worst:.3f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak resident memory: {peak:.0f} MB")
    assert best > REACHED
    assert worst < BELOW


def _drawn(folder: Path, images: int) -> Dataset:
    for _ in phantoms.write(folder / "films", phantoms.plan(images, seed=0)):
        pass
    return datasets.dataset(folder / "films", load("chest_xray"), folder)


def _logistic(data: Dataset) -> list[float]:
    began = time.perf_counter()
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
    _told("logistic regression on 32x32", found, data, began)
    return found


def _network(recipe: Recipe, data: Dataset, folder: Path) -> list[float]:
    began = time.perf_counter()
    training = Training(recipe, data, Checkpoint(folder, "run"), Log(_epochs))
    trained = training.run(Board(None))
    judge = data.rows("test")
    found = areas(trained.scorer.score(data, judge).logits, data.y[judge])
    _told(folder.name, found, data, began)
    return found


def _epochs(line: str) -> None:
    if "val_auroc" in line:
        print(f"  {line}", flush=True)


def _told(name: str, found: list[float], data: Dataset, began: float) -> None:
    each = ", ".join(f"{n} {a:.3f}" for n, a in zip(data.index.labels, found, strict=True))
    print(f"{name}: mean {macro(found):.3f} in {time.perf_counter() - began:.0f} s; {each}")


if __name__ == "__main__":
    main()
