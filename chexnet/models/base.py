"""What a network is: one class in one file, named in the entry-point group `chexnet.models`.

This file is free of TensorFlow, so that a process that only calls can read names and contracts.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol

from chexnet.errors import ConfigError

if TYPE_CHECKING:
    import keras

# The signature of a release (docs: the model's contract). All arrays are batch-first.
INPUT = "x"  # uint8 [N, *input.shape]
PROBABILITIES = "probabilities"  # float32 [N, L]
FEATURES = "features"  # float32 [N, D]
CAM = "cam"  # float32 [N, L, h, w], optional


class WeightsMissing(ConfigError):
    """Published weights are neither on this machine nor can they be downloaded."""


class Network(Protocol):
    """A network. Normalisation is inside its graph, so that serving can't differ from training."""

    name: str

    def build(
        self,
        shape: tuple[int, ...],
        labels: tuple[str, ...],
        *,
        weights: str | None,
        **options: int,
    ) -> keras.Model:
        """Return a Keras model.

        Args:
            shape: of one canonical image, without the batch.
            labels: the findings; the head has one logit for each.
            weights: `imagenet`, a file's path, or None for random ones.
            options: the network's own, e.g. `resolution` in pixels.

        Returns:
            A model from float32-castable uint8 [N, *shape] to a dict of `logits` [N, L], `features`
            [N, D] and, where the network has maps, `cam` [N, L, h, w].

        Raises:
            WeightsMissing: the weights that have a name could not be had.
        """


def load(name: str) -> Network:
    """Return the installed network called `name`, importing no other.

    Raises:
        ConfigError: no such network is installed.
    """
    installed = entry_points(group="chexnet.models")
    if name not in installed.names:
        known = ", ".join(sorted(installed.names))
        rule = f"The model must name an installed network: {known}. Received: {name!r}."
        raise ConfigError(f"{rule} Correct it, or install the package that has this network.")
    network: Network = installed[name].load()()
    return network
