"""The training loop: steps and epochs, judged, recorded, and kept so that a kill loses nothing."""

from __future__ import annotations

import time
from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf
from msgspec import Struct
from numpy.typing import NDArray

from chexnet.data.checkout import Dataset, some
from chexnet.data.pipeline import shuffled
from chexnet.errors import ConfigError
from chexnet.evaluation.auroc import macro
from chexnet.training import hosts
from chexnet.training.board import EVERY as POINTS
from chexnet.training.board import Board
from chexnet.training.checkpoint import EVERY, Arrays, Checkpoint
from chexnet.training.learner import Learner, build
from chexnet.training.progress import Progress, Report
from chexnet.training.recipe import Recipe
from chexnet.training.scoring import Scorer, areas, loss, scored
from chexnet.training.state import State


class Trained(Struct, frozen=True):
    """A model at its best epoch, what it learnt from and was chosen by, and how it went."""

    model: keras.Model
    scorer: Scorer
    rows: NDArray[np.intp]
    validation: NDArray[np.intp]
    state: State


class Training:
    """One training, from its first step or from its checkpoint.

    Args:
        recipe: how.
        data: on what: its train split, judged after each epoch on its validation split.
        checkpoint: where it goes on, and what it leaves for the next process.
        report: called after each step and epoch.
        every: steps between two checkpoints.

    Raises:
        ConfigError: a split that is needed is empty, or the network can't be built so.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: Dataset,
        checkpoint: Checkpoint,
        report: Report,
        every: int = EVERY,
    ) -> None:
        self._recipe, self._data, self._report, self._every = recipe, data, report, every
        self.rows, self._validation = _rows(recipe, data)
        self._where = hosts.strategy()
        hosts.check_accumulation(recipe.accumulate, self._where)
        keras.utils.set_random_seed(recipe.seed)
        tf.config.experimental.enable_op_determinism()  # Costs nothing here on a CPU: measured.
        self._batch = hosts.divided(min(recipe.batch_size, len(self.rows)), self._where)
        self._steps = recipe.steps_per_epoch or len(self.rows) // self._batch
        self._learner = Learner(recipe, data, self._steps, self._where)
        self._scorer = Scorer(self._learner.model)
        self._checkpoint = checkpoint
        self._best: Arrays | None = None
        self.state = State.first(recipe)
        self.state.weights = self._learner.weights
        if found := checkpoint.restore(self._learner.variables):
            self.state, self._best = found
        self._agree()

    def run(self, board: Board) -> Trained:
        """Train to the end, with the curves on `board`."""
        batches = iter(self._where.distribute_datasets_from_function(self._read))
        while not self.state.over(self._recipe):
            self._epoch(batches, board)
        return self._result()

    def _epoch(self, batches: tf.distribute.DistributedIterator, board: Board) -> None:
        state = self.state
        while state.step < self._steps:
            began = time.perf_counter()
            batch_loss = self._learner.step(batches)
            running = state.took(batch_loss, time.perf_counter() - began)
            self._tell(state.step, running)
            step = state.epoch * self._steps + state.step
            if step % POINTS == 1:
                board.step(step, batch_loss, self._learner.rate)
            if step % self._every == 0 and state.step < self._steps:
                self._save()
        speed = self._steps * self._batch / state.epoch_seconds
        judged = self._judge(board)
        found = {"loss": state.losses / self._steps, **judged, "images_per_second": speed}
        board.epoch(state.epoch + 1, found)
        self._tell(self._steps, found["loss"], found)
        best, factor = state.end_epoch(found, self._recipe)
        self._learner.slower(factor)
        if best:
            self._best = self._learner.model.get_weights()
        self._save()

    def _judge(self, board: Board) -> dict[str, float]:
        said = self._scorer.score(self._data, self._validation)
        if shown := scored(self._validation, said, self._data):
            board.scores(self.state.epoch + 1, shown)
        logits, y = said.logits, self._data.y[self._validation]
        each = areas(logits, y)
        named = zip(self._data.index.labels, each, strict=True)
        judged = {"val_loss": loss(logits, y), "val_auroc": macro(each)}
        return judged | {f"auroc/{label}": area for label, area in named}

    def _save(self) -> None:
        if hosts.chief():
            self._checkpoint.save(self.state, self._learner.variables, self._best)

    def _tell(self, step: int, running: float, found: dict[str, float] | None = None) -> None:
        epoch, told = self.state.epoch + 1, found or {}
        judged = told.get("val_loss"), told.get("val_auroc")
        progress = Progress(epoch, self._recipe.epochs, step, self._steps, running, *judged)
        self._report(progress)

    def _read(self, context: tf.distribute.InputContext) -> tf.data.Dataset:
        return shuffled(
            self._data,
            self.rows,
            self._batch,
            seed=self._recipe.seed,
            flip=self._recipe.flip,
            start=self.state.epoch * self._steps + self.state.step,
            share=hosts.share(context, self._where),
        )

    def _agree(self) -> None:
        """Raise ConfigError where hosts begin at different steps: they would wait for ever."""
        here = self.state.epoch * self._steps + self.state.step
        if (first := hosts.first(here, self._where)) != here:
            rule = "All hosts of a training must see the same checkpoint."
            received = f"Received: step {here} here, {first} at the first host."
            raise ConfigError(f"{rule} {received} Share the state folder among them.")

    def _result(self) -> Trained:
        # Of no strategy, and exact: what is judged is what is exported.
        # A file of imported weights also says how pixels are normalised; ImageNet's would only be
        # downloaded to be written over.
        exact = replace(self._recipe, precision="float32")
        began = self.state.weights
        model = build(exact, self._data, weights=None if began == "imagenet" else began)
        model.set_weights(self._best or self._learner.model.get_weights())
        return Trained(model, Scorer(model), self.rows, self._validation, self.state)


def _rows(recipe: Recipe, data: Dataset) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows = some(data.rows("train"), recipe.images, recipe.seed)
    validation = some(data.rows("validation"), recipe.judged, recipe.seed)
    if not len(rows) or not len(validation):
        rule = f"Training needs images in train and validation. Received: {data.name} with"
        received = f"{len(rows)} and {len(validation)}."
        raise ConfigError(f"{rule} {received} Bring more in, and: chexnet dataset cut")
    if recipe.flip and len(data.index.shape) != 3:
        rule = "Only images (rows, columns, channels) can be flipped left to right."
        received = f"Received: {data.name}, of shape {data.index.shape}."
        raise ConfigError(f"{rule} {received} Take a config with flip=False.")
    return rows, validation
