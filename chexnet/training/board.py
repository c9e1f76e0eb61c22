"""A run in TensorBoard: curves, a few images with their heat maps, and the run as text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from chexnet.data.checkout import Dataset
from chexnet.inputs.base import Input
from chexnet.models.base import CAM
from chexnet.models.card import Card

# What fit's logs call it → where it stands on the page. `auroc/<label>` keeps its name.
CURVES = {
    "loss": "loss/train",
    "val_loss": "loss/validation",
    "val_auroc": "auroc/mean",
    "images_per_second": "speed/images_per_second",
}


class Board(keras.callbacks.Callback):
    """Writes one point a curve after each epoch. It reads what Validation added to the logs."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.writer = tf.summary.create_file_writer(str(folder))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the epoch's values."""
        with self.writer.as_default(step=epoch + 1):
            for name, value in (logs or {}).items():
                if name in CURVES or name.startswith("auroc/"):
                    tf.summary.scalar(CURVES.get(name, name), value)
            rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            tf.summary.scalar("learning_rate", rate)
        self.writer.flush()

    def examples(
        self, model: keras.Model, source: Input, data: Dataset, rows: NDArray[np.intp]
    ) -> None:
        """Show images; where the network has maps, with that of the likeliest finding."""
        x = np.asarray(data.x[rows])
        said = model(x, training=False)  # A few images: not worth tracing a graph for.
        outputs = {name: keras.ops.convert_to_numpy(value) for name, value in said.items()}
        with self.writer.as_default(step=0):
            for number, image in enumerate(x):
                top = int(np.argmax(outputs["logits"][number]))
                picture = source.render(image)
                if CAM in outputs:
                    picture = source.overlay(image, outputs[CAM][number, top])
                name = f"examples/{number}_{data.index.labels[top]}"
                tf.summary.image(name, tf.io.decode_png(picture, channels=3)[tf.newaxis])
        self.writer.flush()

    def text(self, card: Card) -> None:
        """Show the card: its facts as JSON, its metrics as a table."""
        facts = {
            "network": card.network,
            "dataset": card.dataset,
            "code": card.code,
            "training_digest": card.training_digest,
            "params": card.params,
        }
        indented = json.dumps(facts, indent=2).replace("\n", "\n    ")
        with self.writer.as_default(step=0):
            tf.summary.text("card", f"{_table(card)}\n\n    {indented}\n\n{card.intended_use}")
        self.writer.close()


def _table(card: Card) -> str:
    """Return AUROCs of the splits as Markdown."""
    splits = list(card.metrics)
    lines = [f"| AUROC (95 % interval) | {' | '.join(splits)} |", f"|---|{'---|' * len(splits)}"]
    for row in ("mean", *card.labels):
        found = [
            split["macro_auroc"] if row == "mean" else split["auroc"].get(row)
            for split in card.metrics.values()
        ]
        lines.append(f"| {row} | {' | '.join(_cell(one) for one in found)} |")
    return "\n".join(lines)


def _cell(area: dict[str, float] | None) -> str:
    return f"{area['value']:.3f} ({area['low']:.3f}-{area['high']:.3f})" if area else "too few"
