"""Imported weights on their way from a user's file into the job that begins with them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from chexnet.errors import ConfigError
from chexnet.inputs.base import Input
from chexnet.messages import sha256
from chexnet.models.checkpoints import weights
from chexnet.training.recipe import Recipe

FILE = f"weights{weights.SUFFIX}"  # Beside the line's parameters.


def check(path: Path, recipe: Recipe, source: Input) -> None:
    """Raise ConfigError or BadInput if a training of this recipe can't begin with these weights."""
    header, _ = weights.read(path)
    weights.columns(header.labels, source.labels)
    if recipe.model != header.network:
        rule = f"These weights are of {header.network}, and so must the recipe's network be."
        raise ConfigError(f"{rule} Received: {recipe.model}. Add --model {header.network}.")


def beginning_with(recipe: Recipe, given: Path, folder: Path, line: str) -> Recipe:
    """Return the recipe, to begin with the weights in the file `given`.

    They are copied under the name of their content: a job that was killed goes on only with the
    same recipe, and its own folders have other names each time. The line's earlier ones go.

    Args:
        recipe: how.
        given: the file, in a job's folder.
        folder: where it is kept.
        line: the training line.
    """
    data = given.read_bytes()
    kept = folder / f"{line}-{sha256(data)[:16]}{weights.SUFFIX}"
    folder.mkdir(parents=True, exist_ok=True)
    for other in folder.glob(f"{line}-*{weights.SUFFIX}"):
        if other != kept:
            other.unlink(missing_ok=True)
    part = kept.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(data)
    part.replace(kept)
    return replace(recipe, weights=str(kept))
