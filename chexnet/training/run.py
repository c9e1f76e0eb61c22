"""One run of a training line: from a dataset to the files of a release."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from chexnet.data.checkout import Dataset, some
from chexnet.errors import ConfigError
from chexnet.evaluation import drift
from chexnet.evaluation.scored import Floats
from chexnet.inputs.base import Input
from chexnet.messages import now
from chexnet.models import card as cards
from chexnet.models.card import Card
from chexnet.models.export import export
from chexnet.training import checkpoint, hosts, origin
from chexnet.training.board import Board
from chexnet.training.examples import choose
from chexnet.training.hparams import Value, row
from chexnet.training.loop import Trained, Training
from chexnet.training.progress import Report
from chexnet.training.recipe import Recipe
from chexnet.training.scoring import Scores, groups, metrics, scored, temperature, thresholds

RELEASE = "release"
RUN = "run.json"
GOLDEN_IMAGES, BLENDED = 4, 8
FEATURE_IMAGES = 2000  # Enough for the mean and deviation of each feature.

Judged = dict[str, tuple[NDArray[np.intp], Scores]]  # Split → which images, and what was said.


def run(
    data: Dataset,
    source: Input,
    recipe: Recipe,
    *,
    line: str,
    config: str,
    out: Path,
    runs: Path,
    checkpoints: Path,
    report: Report = lambda _: None,
) -> Card | None:
    """Train, and export into a folder: `release/`, which serving loads, and `run.json`.

    A run that was killed goes on at its last checkpoint, and ends as it would have without.

    Args:
        data: what it learns from.
        source: the pipeline's input.
        recipe: how to train.
        line: the training line; lower case letters and digits.
        config: the recipe's name, for the record.
        out: the folder.
        runs: where TensorBoard looks; the run gets a folder <line>/<config>-<time> there.
        checkpoints: where it is kept what a killed run needs to go on.
        report: called as the training goes on.

    Returns:
        The card; None on a host that only helped another one.

    Raises:
        ConfigError: the dataset isn't of this input, or recipe and dataset don't fit together.
    """
    if not re.fullmatch(r"[a-z0-9]+", line):
        rule = "A line must be lower case letters and digits, such as a or b."
        raise ConfigError(f"{rule} Received: {line!r}. Correct it.")
    _check(data, source)
    kept = checkpoint.of_run(checkpoints, line, recipe, data)
    training = Training(recipe, data, kept, report)
    started = training.state.started_at
    name = f"{line}/{config.rpartition('.')[2]}-{started:%Y%m%d-%H%M%S}"
    board = Board(runs / name if hosts.chief() else None)
    known: dict[str, Value] = {"line": line, "config": config, "dataset": data.name}
    known |= {"images": len(training.rows), "weights": training.state.weights or "random"}
    board.begin(row(name, started, recipe, **known))
    trained = training.run(board)
    if not hosts.chief():
        return None
    judged = _judged(trained, data, recipe)
    card = _card(trained, judged, data, recipe, line)
    epochs = trained.state.epoch
    if shown := scored(*judged["validation"], data):
        board.roc(epochs, shown)
    board.examples(epochs, choose(trained.model, source, data, trained.validation))
    board.end(epochs, card)
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
        "seconds": round(trained.state.seconds, 3),
        "history": trained.state.history,
    }
    export(trained.model, out / RELEASE, card, _golden(data))
    (out / RUN).write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1))
    kept.remove()
    return card


def _check(data: Dataset, source: Input) -> None:
    index = data.index
    if (index.input, index.labels, index.shape) != (source.name, source.labels, source.shape):
        rule = f"A dataset must be of the pipeline's input, {source.name}, as it is installed."
        received = f"Received: {data.name}, of {index.input}, {index.shape}, {index.labels}."
        raise ConfigError(f"{rule} {received} Cut it again with: chexnet dataset cut")


def _judged(trained: Trained, data: Dataset, recipe: Recipe) -> Judged:
    rows = {
        "validation": trained.validation,
        "test": some(data.rows("test"), recipe.judged, recipe.seed),
    }
    return {split: (r, trained.scorer.score(data, r)) for split, r in rows.items() if len(r)}


def _card(trained: Trained, judged: Judged, data: Dataset, recipe: Recipe, line: str) -> Card:
    tuned, said = judged["validation"]
    labels, probabilities = data.index.labels, said.probabilities
    began = trained.state.weights
    drawn = some(trained.rows, FEATURE_IMAGES, recipe.seed)
    sample = trained.scorer.score(data, drawn)
    features = sample.features.astype(np.float64)
    mean, std = features.mean(axis=0), features.std(axis=0)
    chosen = thresholds(probabilities, data.y[tuned])
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
        temperature=temperature(probabilities, data.y[tuned]),
        feature_mean=tuple(mean.tolist()),
        feature_std=tuple(std.tolist()),
        **_usual(said, mean, std, labels),
        metrics={
            split: metrics(said, data.y[rows], data.unit[rows], labels)
            for split, (rows, said) in judged.items()
        },
        subgroups=_groups(judged, data),
        dataset=data.name,
        training_units=tuple(sorted(seen)),
        training_digest=cards.digest(seen),
        code=origin.code(),
        seed=recipe.seed,
        params={**recipe.params(), "weights": began and Path(began).name},
        created_at=now(),
    )


def _groups(judged: Judged, data: Dataset) -> tuple[dict[str, Any], ...]:
    found = scored(*judged["test"], data) if "test" in judged else None
    return tuple(groups(found)) if found else ()


def _usual(said: Scores, mean: Floats, std: Floats, labels: Sequence[str]) -> dict[str, Any]:
    """Return what is usual of scores and features; nothing of a model that has diverged."""
    if not np.isfinite(said.logits).all():
        return {}
    far = drift.distances(said.features.astype(np.float64), mean, std)
    deciles = drift.deciles(said.probabilities).tolist()
    return {
        "score_deciles": dict(zip(labels, map(tuple, deciles), strict=True)),
        "score_images": len(far),
        "feature_distance": float(np.quantile(far, drift.FAR)),
    }


def _golden(data: Dataset) -> NDArray[np.uint8]:
    """Return images to check a server with: each the mean of several, so that none is a patient."""
    rows = data.rows("validation")
    chosen = np.random.default_rng(0).choice(rows, (GOLDEN_IMAGES, BLENDED), replace=True)
    blended: NDArray[np.uint8] = np.asarray(data.x[chosen]).mean(axis=1).astype(np.uint8)
    return blended
