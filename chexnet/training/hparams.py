"""A run as one row of TensorBoard's HPARAMS table: how it was trained, and how good it is.

The columns are the same for all runs: TensorBoard takes them from the first run that it finds.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from tensorboard.plugins.hparams import api, api_pb2, summary

from chexnet.models.card import Card
from chexnet.training.recipe import Recipe

Value = str | float | bool

NUMBER, TEXT, BOOL = (
    api_pb2.DATA_TYPE_FLOAT64,
    api_pb2.DATA_TYPE_STRING,
    api_pb2.DATA_TYPE_BOOL,
)
COLUMNS = {
    "line": TEXT,
    "config": TEXT,
    "dataset": TEXT,
    "images": NUMBER,
    "model": TEXT,
    "options": TEXT,
    "weights": TEXT,
    "learning_rate": NUMBER,
    "schedule": TEXT,
    "batch_size": NUMBER,
    "epochs": NUMBER,
    "flip": BOOL,
    "precision": TEXT,
    "seed": NUMBER,
}
FIRST = {"config", "images", "line", "model", "options"}  # Shown, until more are asked for.
# Tag → its column's head. `kept/…` comes at a run's end, the others while it goes on.
METRICS = {
    "kept/auroc_test": "AUROC, test",
    "kept/auroc_validation": "AUROC, validation",
    "kept/loss_validation": "loss, validation",
    "auroc/mean": "AUROC, last epoch",
    "speed/images_per_second": "images/s",
}


class Row(Struct, frozen=True):
    """One run in the table."""

    run: str  # <line>/<config>-<time>; no two runs share a row.
    started_at: datetime
    values: Mapping[str, Value]  # Of `COLUMNS`.


def row(run: str, started_at: datetime, recipe: Recipe, **known: Value) -> Row:
    """Return a run's row.

    Args:
        run: the run's folder below that of all runs.
        started_at: when it began, in whichever process.
        recipe: how it is trained.
        known: the columns that the recipe does not tell: line, config, dataset, images, weights.
    """
    params = recipe.params() | recipe.params()["optimizer"]
    told = {"options": _words(params["options"]), "schedule": _words(params["schedule"] or {})}
    values = {**params, **told, **known}
    return Row(run, started_at, {name: values[name] for name in COLUMNS})


def table() -> Any:
    """Return the summary that says which columns there are."""
    columns = [
        # TensorBoard puts what is said to differ between runs in front, and shows five.
        api_pb2.HParamInfo(name=name, type=kind, differs=name in FIRST)
        for name, kind in COLUMNS.items()
    ]
    metrics = [
        api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag), display_name=head)
        for tag, head in METRICS.items()
    ]
    return summary.experiment_pb(columns, metrics)


def opened(row: Row) -> Any:
    """Return the summary with which a run enters the table."""
    return api.hparams_pb(dict(row.values), row.run, row.started_at.timestamp())


def closed() -> Any:
    """Return the summary that says that the run has ended well."""
    return summary.session_end_pb(api_pb2.STATUS_SUCCESS)


def figures(card: Card) -> dict[str, float]:
    """Return tag → value of what was kept; without what has no figure."""
    found = {
        f"kept/auroc_{split}": said["macro_auroc"]["value"]
        for split, said in card.metrics.items()
        if said["macro_auroc"]
    }
    return found | {"kept/loss_validation": card.metrics["validation"]["loss"]}


def _words(options: Mapping[str, Any]) -> str:
    return " ".join(str(v) if k == "name" else f"{k}={v}" for k, v in options.items()) or "none"
