"""A release on this machine's disk, asked directly: it says what serving would say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from chexnet.errors import BadInput
from chexnet.models import card as cards
from chexnet.models.base import INPUT, PROBABILITIES
from chexnet.models.export import SIGNATURE

TOLERANCE = 1e-3  # Of probabilities, against the golden ones: another machine may round otherwise.


class Released:
    """A release, loaded.

    Args:
        folder: with the SavedModel and its card.

    Raises:
        NotFound: there is no card.
        BadInput: it can't be loaded, or doesn't repeat its golden outputs.
    """

    def __init__(self, folder: Path) -> None:
        self.card = cards.read(folder)
        try:
            self._model = tf.saved_model.load(str(folder))  # Held: its function dies with it.
            self._serve = self._model.signatures[SIGNATURE]
        except (OSError, KeyError, ValueError) as error:
            rule = f"A release must be a SavedModel with the signature {SIGNATURE}."
            raise BadInput("release", f"{rule} Received: {folder}: {error}.") from error
        with np.load(folder / cards.GOLDEN) as golden:
            self._check(dict(golden))

    def __call__(self, x: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Return the signature's outputs for a batch of canonical images."""
        answers = self._serve(**{INPUT: tf.constant(x)})
        return {name: value.numpy() for name, value in answers.items()}

    def _check(self, golden: dict[str, NDArray[Any]]) -> None:
        answers = self(golden[INPUT])
        off = float(np.abs(answers[PROBABILITIES] - golden[PROBABILITIES]).max())
        if off > TOLERANCE:
            rule = f"A release must repeat its golden probabilities within {TOLERANCE}."
            todo = "Don't trust it; export it again from the locked environment."
            raise BadInput("golden", f"{rule} Received: {off:.2g} off. {todo}")
