"""A recipe: everything that a training depends on besides its data. Free of TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Literal, cast

from chexnet.errors import ConfigError
from chexnet.training import configs

Monitor = Literal["val_loss", "val_auroc"]
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]


@dataclass(frozen=True, kw_only=True)
class Adam:
    """Kingma and Ba 2015, arXiv:1412.6980."""

    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999


@dataclass(frozen=True, kw_only=True)
class Plateau:
    """Multiply the rate by `factor` when `monitor` is no better for `patience` epochs."""

    monitor: Monitor = "val_loss"
    factor: float = 0.1
    patience: int = 1


@dataclass(frozen=True, kw_only=True)
class Cosine:
    """Rise to the full rate over the share `warmup` of all steps, then fall to `final` of it."""

    warmup: float = 0.1
    final: float = 0.02


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one model is trained.

    Args:
        seed: of weights, order and augmentation.
        model: an entry point of `chexnet.models`.
        options: the network's own, e.g. `resolution`.
        weights: `imagenet`, a file's path, or None for random ones.
        optimizer: and its first rate.
        schedule: how the rate changes; None for not at all.
        batch_size: images a step.
        epochs: at most; each sees every training image once, unless `steps_per_epoch` is set.
        steps_per_epoch: None for as many as the images give.
        images: how many training images are used at most, drawn by the seed; None for all.
        judged: how many validation and how many test images, likewise; None for all.
        keep_best: the epoch that is kept is the best one by this.
        patience: stop after so many epochs of which none was the best; None for never.
        accumulate: steps whose gradients are averaged for one update of the weights.
        precision: of the computation; weights are 32-bit floats in each.
        flip: mirror training images left to right at random; for images only.
    """

    seed: int = 0
    model: str
    options: Mapping[str, int] = field(default_factory=dict)
    weights: str | None = None
    optimizer: Adam = Adam()
    schedule: Plateau | Cosine | None = None
    batch_size: int = 32
    epochs: int = 10
    steps_per_epoch: int | None = None
    images: int | None = None
    judged: int | None = None
    keep_best: Monitor = "val_loss"
    patience: int | None = None
    accumulate: int = 1
    precision: Precision = "float32"
    flip: bool = False

    def params(self) -> dict[str, Any]:
        """Return it for a card or a run's record."""
        params = asdict(self)
        if self.schedule:
            params["schedule"] = {"name": type(self.schedule).__name__, **params["schedule"]}
        return params


def load(name: str, *, quick: bool = False) -> Recipe:
    """Return the recipe of a config.

    Args:
        name: a module of chexnet/training/configs, or the dotted path of one elsewhere, which has
            a function `recipe(quick)`.
        quick: the same in seconds, to see that it runs.

    Raises:
        ConfigError: there is no such config.
    """
    known = sorted(module.name for module in iter_modules(configs.__path__))
    path = f"{configs.__name__}.{name}" if name in known else name
    if "." not in path:
        rule = f"The config must be one of {', '.join(known)}, or a module's dotted path."
        raise ConfigError(f"{rule} Received: {name!r}. Correct it.")
    try:
        module = import_module(path)
    except ModuleNotFoundError as error:
        rule = "A config must be a module that can be imported."
        raise ConfigError(
            f"{rule} Received: {name!r}: {error}. Correct it, or install it."
        ) from error
    return cast(Recipe, module.recipe(quick=quick))
