"""How far a training has come, besides the weights: what decides on rate, best epoch and end."""

from __future__ import annotations

import math
from datetime import datetime

from msgspec import Struct, field

from chexnet.messages import now
from chexnet.training.recipe import Monitor, Plateau, Recipe

DELTA = 1e-4  # A loss that is better by less is on a plateau: keras' ReduceLROnPlateau has it so.


class Best(Struct, kw_only=True):
    """The best value yet of a monitor, and for how many epochs there was no better one."""

    monitor: Monitor
    delta: float = 0.0
    value: float | None = None
    waited: int = 0

    def better(self, found: float) -> bool:
        """Take an epoch's value; return whether it is the best. No number is better than none."""
        sign = -1 if self.monitor == "val_loss" else 1
        if not math.isnan(found) and (
            self.value is None or sign * (found - self.value) > self.delta
        ):
            self.value, self.waited = found, 0
            return True
        self.waited += 1
        return False


class State(Struct, kw_only=True):
    """Epoch and step that come next, and everything that the following epochs depend on."""

    kept: Best
    plateau: Best | None
    weights: str | None = None  # What it began with: `imagenet`, a file, or None for random ones.
    epoch: int = 0
    step: int = 0  # Within the epoch.
    losses: float = 0.0  # Their sum over the epoch's steps.
    seconds: float = 0.0  # Of training, in all processes that worked on it one after the other.
    epoch_seconds: float = 0.0
    history: dict[str, list[float]] = field(default_factory=dict)
    started_at: datetime = field(default_factory=now)

    @classmethod
    def first(cls, recipe: Recipe) -> State:
        """Return where a training begins."""
        plateau = recipe.schedule if isinstance(recipe.schedule, Plateau) else None
        return cls(
            kept=Best(monitor=recipe.keep_best),
            plateau=Best(monitor=plateau.monitor, delta=DELTA) if plateau else None,
        )

    def took(self, loss: float, seconds: float) -> float:
        """Count a step; return the mean loss of the epoch's steps."""
        self.step += 1
        self.losses += loss
        self.seconds += seconds
        self.epoch_seconds += seconds
        return self.losses / self.step

    def end_epoch(self, found: dict[str, float], recipe: Recipe) -> tuple[bool, float]:
        """Take what validation found; return whether it is the best epoch, and the rate's factor.

        Args:
            found: name → the epoch's value.
            recipe: with its schedule.
        """
        for name, value in found.items():
            self.history.setdefault(name, []).append(value)
        self.epoch, self.step, self.losses, self.epoch_seconds = self.epoch + 1, 0, 0.0, 0.0
        factor = 1.0
        if self.plateau and isinstance(recipe.schedule, Plateau):
            self.plateau.better(found[self.plateau.monitor])
            if self.plateau.waited >= recipe.schedule.patience:
                self.plateau.waited, factor = 0, recipe.schedule.factor
        return self.kept.better(found[self.kept.monitor]), factor

    def over(self, recipe: Recipe) -> bool:
        """Return whether all epochs are done, or none was better for as long as is waited."""
        stopped = recipe.patience is not None and self.kept.waited >= recipe.patience
        return self.epoch >= recipe.epochs or stopped
