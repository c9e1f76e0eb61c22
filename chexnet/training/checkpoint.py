"""A checkpoint: everything that a killed training needs to go on as if nothing had happened."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from chexnet.data.checkout import Dataset
from chexnet.messages import sha256
from chexnet.training import origin
from chexnet.training.recipe import Recipe
from chexnet.training.state import State

EVERY = 200  # Steps between two of them; each epoch's end has one too.
STATE = "state"

Arrays = list[NDArray[Any]]


class Checkpoint:
    """One file: variables of model and optimizer, the best weights, and the state.

    The file is replaced as a whole, so that a kill at any moment leaves one that is complete.

    Args:
        folder: where it lies.
        identity: of the run; another run's file is left alone by its name.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.path = folder / f"{identity}.npz"

    def save(self, state: State, variables: Sequence[Any], best: Arrays | None) -> None:
        """Write it.

        Args:
            state: how far the training is.
            variables: keras variables, always in the same order.
            best: the best epoch's weights, where one is over.
        """
        arrays: dict[str, Any] = {f"variable{n}": v.numpy() for n, v in enumerate(variables)}
        arrays |= {f"best{n}": value for n, value in enumerate(best or ())}
        arrays[STATE] = np.frombuffer(msgspec.msgpack.encode(state), np.uint8)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(f".{os.getpid()}.part")
        with part.open("wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)

    def restore(self, variables: Sequence[Any]) -> tuple[State, Arrays | None] | None:
        """Put the variables' values back; return the state and the best weights, if there is one.

        Args:
            variables: of the same model and optimizer, in the same order.
        """
        if not self.path.exists():
            return None
        with np.load(self.path) as file:
            for number, variable in enumerate(variables):
                variable.assign(file[f"variable{number}"])
            names = (f"best{n}" for n in range(len(file.files)))
            best = [file[name] for name in names if name in file.files]
            state = msgspec.msgpack.decode(file[STATE].tobytes(), type=State)
        return state, best or None

    def remove(self) -> None:
        """Remove it: the training has ended, or another one takes its place."""
        self.path.unlink(missing_ok=True)


def of_run(folder: Path, line: str, recipe: Recipe, data: Dataset) -> Checkpoint:
    """Return the checkpoint of a line's run. Those of the line's other runs are removed.

    A run goes on only with the same recipe, dataset and code: otherwise it would be neither.
    """
    what = msgspec.json.encode([recipe.params(), data.name, origin.code()], order="sorted")
    made = Checkpoint(folder, f"{line}-{sha256(what)[:16]}")
    for other in folder.glob(f"{line}-*"):
        if other != made.path:
            other.unlink(missing_ok=True)
    return made
