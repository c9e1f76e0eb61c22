"""What watches a training: it measures after each epoch, and tells who asked how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from chexnet.data.checkout import Dataset
from chexnet.evaluation.auroc import macro
from chexnet.training.progress import Progress
from chexnet.training.scoring import Scorer, areas, loss

Report = Callable[[Progress], None]


class Validation(keras.callbacks.Callback):
    """Measures the epoch's speed, then the model on the validation images.

    It comes first: what it adds to the logs (`val_loss`, `val_auroc`, `images_per_second`, and one
    `auroc/<label>` each) is what schedules, TensorBoard and the choice of the best epoch read.
    """

    def __init__(
        self, scorer: Scorer, data: Dataset, rows: NDArray[np.intp], images_per_epoch: int
    ) -> None:
        super().__init__()
        self._scorer, self._data, self._rows = scorer, data, rows
        self._images = images_per_epoch
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Start the clock."""
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Add to the logs."""
        if logs is None:
            return
        logs["images_per_second"] = self._images / (time.perf_counter() - self._started)
        logits = self._scorer.score(self._data, self._rows).logits
        y = self._data.y[self._rows]
        each = areas(logits, y)
        logs["val_loss"] = loss(logits, y)
        logs["val_auroc"] = macro(each)
        for label, area in zip(self._data.index.labels, each, strict=True):
            logs[f"auroc/{label}"] = area


class Reporter(keras.callbacks.Callback):
    """Calls `report` after each step and epoch."""

    def __init__(self, report: Report, epochs: int, steps: int) -> None:
        super().__init__()
        self._report, self._epochs, self._steps = report, epochs, steps
        self._epoch = 1

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Count from 1."""
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Report the running loss."""
        running = float((logs or {})["loss"])
        self._report(Progress(self._epoch, self._epochs, batch + 1, self._steps, running))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Report what validation found."""
        told = logs or {}
        self._report(
            Progress(
                epoch + 1,
                self._epochs,
                self._steps,
                self._steps,
                float(told["loss"]),
                told.get("val_loss"),
                told.get("val_auroc"),
            )
        )
