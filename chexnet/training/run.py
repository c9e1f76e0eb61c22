"""One run of a training line: from a dataset to the files of a release."""

from __future__ import annotations

import re
import time
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from chexnet.data.checkout import Dataset
from chexnet.errors import ConfigError
from chexnet.inputs.base import Input
from chexnet.messages import now
from chexnet.models import card as cards
from chexnet.models.card import Card
from chexnet.models.export import export
from chexnet.training import origin
from chexnet.training.board import Board
from chexnet.training.callbacks import Report
from chexnet.training.loop import Trained, train
from chexnet.training.recipe import Recipe
from chexnet.training.scoring import metrics, thresholds

RELEASE = "release"
RUN = "run.json"
GOLDEN_IMAGES, BLENDED = 4, 8
EXAMPLE_IMAGES = 6
FEATURE_IMAGES = 2000  # Enough for the mean and deviation of each feature.


def run(
    data: Dataset,
    source: Input,
    recipe: Recipe,
    *,
    line: str,
    config: str,
    out: Path,
    runs: Path,
    report: Report = lambda _: None,
) -> Card:
    """Train, and export into a folder: `release/`, which serving loads, and `run.json`.

    Args:
        data: what it learns from.
        source: the pipeline's input.
        recipe: how to train.
        line: the training line; lower case letters and digits.
        config: the recipe's name, for the record.
        out: the folder.
        runs: where TensorBoard looks; the run gets a folder <line>/<time>-<config> there.
        report: called as the training goes on.

    Raises:
        ConfigError: the dataset isn't of this input, or recipe and dataset don't fit together.
    """
    if not re.fullmatch(r"[a-z0-9]+", line):
        rule = "A line must be lower case letters and digits, such as a or b."
        raise ConfigError(f"{rule} Received: {line!r}. Correct it.")
    _check(data, source)
    started, clock = now(), time.perf_counter()
    board = Board(runs / line / f"{started:%Y%m%d-%H%M%S}-{config.rpartition('.')[2]}")
    trained = train(recipe, data, board, report)
    card = _card(trained, data, recipe, line)
    board.examples(trained.model, source, data, trained.validation[:EXAMPLE_IMAGES])
    board.text(card)
    record = {
        "schema": "run/1",
        "line": line,
        "config": config,
        "params": card.params,
        "seed": recipe.seed,
        "dataset": data.name,
        "code": card.code,
        "host": origin.host(),
        "started_at": started,
        "seconds": round(time.perf_counter() - clock, 3),
        "history": trained.history,
    }
    export(trained.model, out / RELEASE, card, _golden(data))
    (out / RUN).write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1))
    return card


def _check(data: Dataset, source: Input) -> None:
    index = data.index
    if (index.input, index.labels, index.shape) != (source.name, source.labels, source.shape):
        rule = f"A dataset must be of the pipeline's input, {source.name}, as it is installed."
        received = f"Received: {data.name}, of {index.input}, {index.shape}, {index.labels}."
        raise ConfigError(f"{rule} {received} Cut it again with: chexnet dataset cut")


def _card(trained: Trained, data: Dataset, recipe: Recipe, line: str) -> Card:
    rows = {"validation": trained.validation, "test": data.rows("test")[: recipe.judged]}
    scores = {split: trained.scorer.score(data, r) for split, r in rows.items() if len(r)}
    sample = trained.scorer.score(data, trained.rows[:FEATURE_IMAGES])
    features = sample.features.astype(np.float64)
    labels, tuned = data.index.labels, trained.validation
    chosen = thresholds(scores["validation"].probabilities, data.y[tuned])
    # Whoever helped to choose the epoch and the thresholds is no fair judge of the model either.
    used = np.concatenate([trained.rows, tuned])
    seen = {*data.unit[used].tolist(), *data.image_id[used].tolist()}
    return Card(
        line=line,
        network=recipe.model,
        input=data.index.input,
        labels=labels,
        shape=data.index.shape,
        thresholds=dict(zip(labels, chosen, strict=True)),
        feature_mean=tuple(features.mean(axis=0).tolist()),
        feature_std=tuple(features.std(axis=0).tolist()),
        metrics={
            split: metrics(said, data.y[rows[split]], data.unit[rows[split]], labels)
            for split, said in scores.items()
        },
        dataset=data.name,
        training_units=tuple(sorted(seen)),
        training_digest=cards.digest(seen),
        code=origin.code(),
        seed=recipe.seed,
        params=recipe.params(),
        created_at=now(),
    )


def _golden(data: Dataset) -> NDArray[np.uint8]:
    """Return images to check a server with: each the mean of several, so that none is a patient."""
    rows = data.rows("validation")
    chosen = np.random.default_rng(0).choice(rows, (GOLDEN_IMAGES, BLENDED), replace=True)
    blended: NDArray[np.uint8] = np.asarray(data.x[chosen]).mean(axis=1).astype(np.uint8)
    return blended
