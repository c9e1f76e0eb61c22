"""TensorFlow itself, the reference. The only file of the services that imports it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray

from services.model_server.signature import DEFAULT


class TensorFlow:
    """One SavedModel, its default signature called as TF Serving calls it."""

    def __init__(self, version: Path, *, streams: int) -> None:
        self.streams = streams
        self._model = tf.saved_model.load(str(version))
        self._serve = self._model.signatures[DEFAULT]

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return the outputs."""
        answers = self._serve(**{name: tf.constant(x) for name, x in inputs.items()})
        return {name: value.numpy() for name, value in answers.items()}

    def close(self) -> None:
        """Drop the model."""
        self._model = self._serve = None


def set_threads(threads: int) -> None:
    """Let all models share `threads`; must be called before the first of them is loaded."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(min(threads, 2))
