"""What computes: an engine holds one version of one model in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


class Engine(Protocol):
    """One loaded version. `run` is called from `streams` threads at the same time."""

    streams: int

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return the outputs of the default signature, by name, in arrays of their own."""

    def close(self) -> None:
        """Release the memory."""


class Loader(Protocol):
    """Makes engines: one of the modules beside this one, with the server's settings."""

    def __call__(self, version: Path, name: str) -> Engine:
        """Load the SavedModel in the folder `version`; `name` is unique among what is loaded.

        Raises:
            Exception: whatever the engine says; it becomes the state of the version.
        """
