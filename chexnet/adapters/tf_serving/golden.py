"""Golden inputs and outputs of a release: what a server must answer before it may serve it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from chexnet.errors import BadInput, NotFound, Refused
from chexnet.models import card as cards
from chexnet.models.base import INPUT

TOLERANCE = 1e-4

Arrays = Mapping[str, NDArray[Any]]


class Golden(Struct, frozen=True):
    """Inputs `x`, the outputs of the process that exported the release, and the labels' names."""

    x: NDArray[Any]
    outputs: dict[str, NDArray[Any]]
    labels: tuple[str, ...] = ()

    def check(self, predict: Callable[[NDArray[Any]], Arrays]) -> None:
        """Ask for all inputs as one batch and for the first alone; compare the answers.

        The tolerance is absolute up to 1, and relative to the output's largest value above that:
        heat maps are sums of thousands of float32 products.

        Raises:
            Refused: an output is missing, has another shape, or is off.
        """
        for rows in (len(self.x), 1):
            received = predict(self.x[:rows])
            for name, expected in self.outputs.items():
                self._compare(name, expected[:rows], received.get(name))

    def _compare(self, name: str, expected: NDArray[Any], received: NDArray[Any] | None) -> None:
        rule = "A release must repeat its golden outputs within 1e-4."
        todo = "Do not serve it; export it again from the locked environment."
        if received is None or received.shape != expected.shape:
            shape = "none" if received is None else f"shape {list(received.shape)}"
            raise Refused(f"{rule} Received: {shape} for {name}. {todo}")
        off = np.abs(received.astype(np.float64) - expected)
        worst = float(off.max(initial=0.0))
        if not worst <= TOLERANCE * max(1.0, float(np.abs(expected).max(initial=0.0))):  # Or NaN.
            size = f"{worst:.1e}".replace("e-0", "e-").replace("e+00", "")
            raise Refused(f"{rule} Received: {size} off in {self._place(name, off)}. {todo}")

    def _place(self, name: str, off: NDArray[Any]) -> str:
        if off.ndim < 2 or off.shape[1] != len(self.labels):
            return name
        column = np.unravel_index(int(np.argmax(np.nan_to_num(off, nan=np.inf))), off.shape)[1]
        return f"{name}, for {self.labels[column]}"


def read(release: Path) -> Golden:
    """Return what the release in the folder `release` must answer.

    Raises:
        NotFound: it has no golden file.
        Refused: the file can't be read.
    """
    path = release / cards.GOLDEN
    try:
        with np.load(path, allow_pickle=False) as arrays:
            outputs = {name: arrays[name] for name in arrays.files if name != INPUT}
            return Golden(arrays[INPUT], outputs, _labels(release))
    except FileNotFoundError as error:
        rule = f"A release must have golden outputs at {cards.GOLDEN}. Received: none in {release}."
        raise NotFound(f"{rule} Export it again with: chexnet train") from error
    except (zipfile.BadZipFile, OSError, KeyError, ValueError, EOFError) as error:
        rule = f"{cards.GOLDEN} must hold `{INPUT}` and one array for each output."
        todo = "Export the release again with: chexnet train"
        raise Refused(f"{rule} Received: {error}. {todo}") from error


def _labels(release: Path) -> tuple[str, ...]:
    """Return the labels, only to name them in an error: a card is not a condition here."""
    try:
        return cards.read(release).labels
    except (NotFound, BadInput):
        return ()
