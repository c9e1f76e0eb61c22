"""The training loop: keras' own `fit`, with callbacks that measure, choose and record."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from msgspec import Struct
from numpy.typing import NDArray

from chexnet.data.checkout import Dataset
from chexnet.data.pipeline import shuffled
from chexnet.errors import ConfigError
from chexnet.models import base
from chexnet.training.board import Board
from chexnet.training.callbacks import Report, Reporter, Validation
from chexnet.training.loss import MaskedCrossentropy
from chexnet.training.recipe import Cosine, Plateau, Recipe
from chexnet.training.scoring import Scorer


class Trained(Struct, frozen=True):
    """A model at its best epoch, what it learnt from and was chosen by, what each epoch gave."""

    model: keras.Model
    scorer: Scorer
    rows: NDArray[np.intp]
    validation: NDArray[np.intp]
    history: dict[str, list[float]]


def train(recipe: Recipe, data: Dataset, board: Board, report: Report) -> Trained:
    """Train one model.

    Args:
        recipe: how.
        data: on what: its train split, judged after each epoch on its validation split.
        board: where curves go.
        report: called after each step and epoch.

    Raises:
        ConfigError: a split that is needed is empty, or the network can't be built so.
    """
    rows, validation = data.rows("train")[: recipe.images], data.rows("validation")
    validation = validation[: recipe.judged]
    if not len(rows) or not len(validation):
        rule = f"Training needs images in train and validation. Received: {data.name} with"
        received = f"{len(rows)} and {len(validation)}."
        raise ConfigError(f"{rule} {received} Bring more in, and: chexnet dataset cut")
    if recipe.flip and len(data.index.shape) != 3:
        rule = "Only images (rows, columns, channels) can be flipped left to right."
        received = f"Received: {data.name}, of shape {data.index.shape}."
        raise ConfigError(f"{rule} {received} Take a config with flip=False.")
    keras.utils.set_random_seed(recipe.seed)
    tf.config.experimental.enable_op_determinism()  # Costs nothing here on a CPU: measured.
    model = _build(recipe, data)
    batch = min(recipe.batch_size, len(rows))
    steps = recipe.steps_per_epoch or len(rows) // batch
    scorer = Scorer(model)
    learner = keras.Model(model.input, model.output["logits"])
    learner.compile(optimizer=_optimizer(recipe, steps), loss=MaskedCrossentropy())
    told = learner.fit(
        shuffled(data, rows, batch, seed=recipe.seed, flip=recipe.flip),
        epochs=recipe.epochs,
        steps_per_epoch=steps,
        shuffle=False,  # They come shuffled.
        verbose=0,
        callbacks=[
            Validation(scorer, data, validation, steps * batch),
            *_schedule(recipe),
            _keep_best(recipe),
            board,
            Reporter(report, recipe.epochs, steps),
        ],
    )
    history = {name: [float(v) for v in values] for name, values in told.history.items()}
    return Trained(model, scorer, rows, validation, history)


def _build(recipe: Recipe, data: Dataset) -> keras.Model:
    network = base.load(recipe.model)
    try:
        return network.build(
            data.index.shape, data.index.labels, weights=recipe.weights, **recipe.options
        )
    except (TypeError, ValueError) as error:
        rule = f"The recipe's options must suit its network, {recipe.model}."
        raise ConfigError(f"{rule} Received: {dict(recipe.options)}: {error}") from error


def _optimizer(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    adam = recipe.optimizer
    rate: Any = adam.learning_rate
    if isinstance(recipe.schedule, Cosine):
        total = recipe.epochs * steps
        warmup = int(recipe.schedule.warmup * total)
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=adam.learning_rate * recipe.schedule.final,
            decay_steps=max(total - warmup, 1),
            alpha=recipe.schedule.final,
            warmup_target=adam.learning_rate,
            warmup_steps=warmup,
        )
    return keras.optimizers.Adam(rate, beta_1=adam.beta_1, beta_2=adam.beta_2)


def _schedule(recipe: Recipe) -> list[keras.callbacks.Callback]:
    if not isinstance(recipe.schedule, Plateau):
        return []  # A cosine is a function of the step: the optimizer's.
    plateau = recipe.schedule
    return [
        keras.callbacks.ReduceLROnPlateau(
            monitor=plateau.monitor,
            factor=plateau.factor,
            patience=plateau.patience,
            mode=_better(plateau.monitor),
        )
    ]


def _keep_best(recipe: Recipe) -> keras.callbacks.Callback:
    """Return what puts the best epoch's weights back at the end. It stops nothing early."""
    return keras.callbacks.EarlyStopping(
        monitor=recipe.keep_best,
        mode=_better(recipe.keep_best),
        patience=recipe.epochs,
        restore_best_weights=True,
    )


def _better(monitor: str) -> str:
    return "min" if monitor == "val_loss" else "max"
