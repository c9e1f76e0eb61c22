"""One step of a training, on one device or on many: the gradient of a batch, and the update."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from chexnet.data.checkout import Dataset
from chexnet.errors import ConfigError
from chexnet.models import base
from chexnet.models.base import WeightsMissing
from chexnet.training.loss import MaskedCrossentropy
from chexnet.training.recipe import Cosine, Recipe


class Learner:
    """A network that learns: weights, optimizer and the graph of a step, made within a strategy.

    Where the recipe's weights can't be had it starts from random ones, says so, and `weights` does.

    Args:
        recipe: how.
        data: what it learns from: shape and labels.
        steps: of an epoch.
        where: the strategy.

    Raises:
        ConfigError: the network can't be built so.
    """

    def __init__(
        self, recipe: Recipe, data: Dataset, steps: int, where: tf.distribute.Strategy
    ) -> None:
        self._where = where
        self.weights = recipe.weights
        with where.scope():
            try:
                self.model = build(recipe, data, weights=recipe.weights)
            except WeightsMissing as error:
                warnings.warn(f"Training starts from random weights. {error}", stacklevel=2)
                self.weights = None
                self.model = build(recipe, data, weights=None)
            self._trained = keras.Model(self.model.input, self.model.output["logits"])
            self.optimizer = _optimizer(recipe, steps)
            self.optimizer.build(self.model.trainable_variables)
        self._loss = MaskedCrossentropy()
        self._step = tf.function(self._everywhere)

    @property
    def variables(self) -> list[Any]:
        """All that changes while it learns."""
        return [*self.model.variables, *self.optimizer.variables]

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return float(keras.ops.convert_to_numpy(self.optimizer.learning_rate))

    def slower(self, factor: float) -> None:
        """Multiply the learning rate."""
        if factor != 1:
            self.optimizer.learning_rate = self.rate * factor

    def step(self, batches: Iterator[Any]) -> float:
        """Learn from the next batch; return its loss before."""
        return float(self._step(batches))

    def _everywhere(self, batches: Iterator[Any]) -> Any:
        each = self._where.run(self._here, args=next(batches))
        return self._where.reduce(tf.distribute.ReduceOp.MEAN, each, axis=None)

    def _here(self, x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = self._loss(y, self._trained(x, training=True))
            # Replicas add their gradients up: each brings its part of the batch's mean.
            part = self.optimizer.scale_loss(loss / self._where.num_replicas_in_sync)
        weights = self.model.trainable_variables
        self.optimizer.apply(tape.gradient(part, [w.value for w in weights]), weights)
        return loss


def build(recipe: Recipe, data: Dataset, *, weights: str | None) -> keras.Model:
    """Return the recipe's network, for the data's shape and labels; raise ConfigError."""
    network = base.load(recipe.model)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(recipe.precision)
    try:
        return network.build(data.index.shape, data.index.labels, weights=weights, **recipe.options)
    except (TypeError, ValueError) as error:
        rule = f"The recipe's options must suit its network, {recipe.model}."
        raise ConfigError(f"{rule} Received: {dict(recipe.options)}: {error}") from error
    finally:
        keras.config.set_dtype_policy(before)


def _optimizer(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    adam, several = recipe.optimizer, recipe.accumulate
    rate: Any = adam.learning_rate
    if isinstance(recipe.schedule, Cosine):
        total = (
            recipe.epochs * steps
        )  # keras asks for the rate of steps, also where it accumulates.
        warmup = int(recipe.schedule.warmup * total)
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=adam.learning_rate * recipe.schedule.final,
            decay_steps=max(total - 1 - warmup, 1),  # The last step has the last rate.
            alpha=recipe.schedule.final,
            warmup_target=adam.learning_rate,
            warmup_steps=warmup,
        )
    made = keras.optimizers.Adam(
        rate,
        beta_1=adam.beta_1,
        beta_2=adam.beta_2,
        gradient_accumulation_steps=several if several > 1 else None,
    )
    # Small gradients vanish in 16-bit floats of this kind: the loss is scaled up, and they down.
    half = recipe.precision == "mixed_float16"
    return keras.optimizers.LossScaleOptimizer(made) if half else made
