"""A run in TensorBoard: curves while it learns, and at the end what was kept.

What compares between runs has one tag in all of them, so that TensorBoard lays line a over line b.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.pr_curve import summary as pr_curve

from chexnet.evaluation import plots
from chexnet.evaluation.scored import Scored
from chexnet.models.card import Card
from chexnet.training import hparams
from chexnet.training.examples import Example
from chexnet.training.hparams import Row

EVERY = 10  # Steps between two points of the loss and the learning rate.
# What the loop calls it → where it stands on the page. Other names stay.
CURVES = {
    "loss": "loss/train",
    "val_loss": "loss/validation",
    "val_auroc": "auroc/mean",
    "images_per_second": "speed/images_per_second",
}


class Board:
    """Writes one run: some of its steps, each epoch, and what was kept.

    A run that goes on after a kill repeats steps: each point is written once.

    Args:
        folder: of the run; None to write nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._last = _written(folder) if folder and folder.is_dir() else {}
        create = tf.summary.create_file_writer
        self.writer = create(str(folder)) if folder else tf.summary.create_noop_writer()

    def begin(self, row: Row) -> None:
        """Open the run's row in the table of all runs."""
        if not self._last:
            self._raw(hparams.table(), hparams.opened(row))

    def step(self, number: int, loss: float, rate: float) -> None:
        """Write loss and learning rate of a step, counted from the run's first."""
        with self.writer.as_default(step=number):
            self._scalar("loss/step", loss, number)
            self._scalar("learning_rate", rate, number)

    def epoch(self, number: int, found: dict[str, float]) -> None:
        """Write the values of an epoch, counted from 1."""
        with self.writer.as_default(step=number):
            for name, value in found.items():
                self._scalar(CURVES.get(name, name), value, number)
        self.writer.flush()

    def scores(self, number: int, scored: Scored) -> None:
        """Write, for each label, its precision-recall curve and the scores of both sides.

        Args:
            number: of the epoch.
            scored: what the model said after it.
        """
        with self.writer.as_default(step=number):
            for finding in scored.findings():
                sides = {"present": finding.present, "absent": ~finding.present}
                for side, chosen in sides.items():
                    name = f"scores/{finding.name} {side}"
                    if chosen.any() and self._is_new(name, number):
                        tf.summary.histogram(name, finding.scores[chosen])
                tag = f"precision_recall/{finding.name}"
                if finding.present.any() and self._is_new(f"{tag}/pr_curves", number):
                    curve = pr_curve.pb(
                        tag, finding.present, finding.scores, display_name=finding.name
                    )
                    self._raw(curve, step=number)

    def roc(self, number: int, scored: Scored) -> None:
        """Show the ROC curve of each label."""
        told = "Of the validation images, with the weights that were kept."
        with self.writer.as_default(step=number):
            tf.summary.image("roc", _decoded(plots.roc(scored)), description=told)

    def examples(self, number: int, chosen: Sequence[Example]) -> None:
        """Show images, each under the finding that it has."""
        with self.writer.as_default(step=number):
            for example in chosen:
                shown = tf.concat([_decoded(png) for png in example.pictures], axis=2)
                tf.summary.image(f"examples/{example.label}", shown, description=example.told)

    def end(self, number: int, card: Card) -> None:
        """Write the card as text and its figures into the run's row, and close both.

        Args:
            number: of the last epoch.
            card: of the weights that were kept.
        """
        with self.writer.as_default(step=number):
            tf.summary.text("card", _text(card))
            for tag, value in hparams.figures(card).items():
                tf.summary.scalar(tag, value)
        self._raw(hparams.closed())
        self.writer.close()

    def _scalar(self, tag: str, value: float, number: int) -> None:
        if self._is_new(tag, number):
            tf.summary.scalar(tag, value)

    def _is_new(self, tag: str, number: int) -> bool:
        """Whether the process that was killed has not written this point: steps are repeated."""
        return number > self._last.get(tag, -1)

    def _raw(self, *summaries: Any, step: int = 0) -> None:
        with self.writer.as_default(step=step):
            for summary in summaries:
                tf.summary.experimental.write_raw_pb(summary.SerializeToString())


def _written(folder: Path) -> dict[str, int]:
    """Return the last step of each tag that lies in a run's folder."""
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    return {tag: events.Tensors(tag)[-1].step for tag in events.Tags()["tensors"]}


def _decoded(png: bytes) -> Any:
    return tf.io.decode_png(png, channels=3)[tf.newaxis]


def _text(card: Card) -> str:
    facts = {
        "network": card.network,
        "dataset": card.dataset,
        "code": card.code,
        "training_digest": card.training_digest,
        "params": card.params,
    }
    indented = json.dumps(facts, indent=2).replace("\n", "\n    ")
    return f"{_areas(card)}\n\n    {indented}\n\n{card.intended_use} {card.limits}"


def _areas(card: Card) -> str:
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
