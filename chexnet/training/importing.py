"""A checkpoint from elsewhere becomes a release, and weights that a training can begin with."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from chexnet.errors import BadInput, ConfigError
from chexnet.inputs.base import Input
from chexnet.messages import now
from chexnet.models import card as cards
from chexnet.models.card import Card
from chexnet.models.checkpoints import densenet, weights
from chexnet.models.checkpoints.files import opened
from chexnet.models.checkpoints.weights import Header, Normalisation
from chexnet.models.densenet121 import DenseNet121
from chexnet.models.export import export
from chexnet.training import origin
from chexnet.training.run import RELEASE, RUN

WEIGHTS = f"weights{weights.SUFFIX}"
LINE = "imported"  # In the card of a model that is committed to no line.
GOLDEN_IMAGES, GRID = 4, 8
THRESHOLD = 0.5  # Where the checkpoint has none: nobody has chosen one yet.
LIMITS = (
    "Imported: what it learnt from is not known here, so images that it has seen may be among "
    "those that it is judged by. "
)


def import_weights(
    checkpoint: Path,
    source: Input,
    *,
    labels: Sequence[str],
    normalisation: Normalisation,
    line: str,
    out: Path,
) -> Card:
    """Write `release/`, `weights.safetensors` and `run.json` into a folder.

    Args:
        checkpoint: of a DenseNet-121; see `files.opened` for its kinds.
        source: the input, whose labels the model answers.
        labels: of the checkpoint's outputs, in their order; an empty name is for one that was not
            trained.
        normalisation: that the checkpoint was trained with.
        line: what the card says; lower case letters and digits.
        out: the folder; it must not exist, or be empty.

    Raises:
        ConfigError: labels, input and checkpoint don't fit together, or the folder is not empty.
        BadInput: the file is at fault.
    """
    if not re.fullmatch(r"[a-z0-9]+", line):
        rule = "A line must be lower case letters and digits, such as imported."
        raise ConfigError(f"{rule} Received: {line!r}. Correct it.")
    if out.exists() and any(out.iterdir()):
        rule = "The folder to write into must be new or empty."
        raise ConfigError(f"{rule} Received: {out}. Name another with --out, or remove it.")
    weights.columns(labels, source.labels)
    with opened(checkpoint) as tree:
        arrays = densenet.arrays(tree)
    _check(labels, arrays, source, normalisation)
    with checkpoint.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    header = Header(
        labels=tuple(label for label in labels if label),
        normalisation=normalisation,
        sha256=sha256,
        thresholds=_thresholds(labels, arrays.pop(densenet.OPERATING, None)),
    )
    named = [column for column, label in enumerate(labels) if label]
    for name in (densenet.KERNEL, densenet.BIAS):
        arrays[name] = arrays[name][named]
    out.mkdir(parents=True, exist_ok=True)
    weights.write(out / WEIGHTS, header, arrays)
    card = _card(checkpoint.name, header, source, line)
    model = DenseNet121().build(source.shape, source.labels, weights=str(out / WEIGHTS))
    export(model, out / RELEASE, card, _golden(source.shape))
    (out / RUN).write_bytes(_record(card))
    return card


def _check(
    labels: Sequence[str], arrays: densenet.Arrays, source: Input, normalisation: Normalisation
) -> None:
    outputs, channels = len(arrays[densenet.BIAS]), arrays[densenet.FIRST_KERNEL].shape[1]
    twice = sorted({label for label in labels if label and list(labels).count(label) > 1})
    if len(labels) != outputs or twice:
        rule = f"The labels must name each of the checkpoint's {outputs} outputs once, in order."
        received = f"Received: {len(labels)}" + (f", {', '.join(twice)} twice" if twice else "")
        raise ConfigError(f"{rule} {received}. Give all of them; an untrained one may be empty.")
    image = source.shape[-1] if len(source.shape) == 3 else 0
    if image not in {1, channels}:
        rule = f"The checkpoint needs images of rows, columns and 1 or {channels} channels."
        raise ConfigError(f"{rule} Received: the input {source.name}, of {source.shape}.")
    if normalisation == "imagenet" and channels != 3:
        rule = "ImageNet's normalisation is of 3 channels."
        todo = "Take --normalisation torchxrayvision, if that is what it was trained with."
        raise ConfigError(f"{rule} Received: a checkpoint of {channels}. {todo}")


def _thresholds(labels: Sequence[str], operating: NDArray[np.float32] | None) -> dict[str, float]:
    """Return the checkpoint's own thresholds; torchxrayvision has NaN where it has none."""
    if operating is None:
        return {}
    named = zip(labels, operating.tolist(), strict=True)
    found = {label: at for label, at in named if label and np.isfinite(at)}
    if wrong := [label for label, at in found.items() if not 0 < at < 1]:
        rule = f"{densenet.OPERATING} must be probabilities."
        raise BadInput("checkpoint", f"{rule} Received: others for {', '.join(wrong)}.")
    return found


def _card(name: str, header: Header, source: Input, line: str) -> Card:
    params: dict[str, Any] = {
        "weights": name,
        "sha256": header.sha256,
        "normalisation": header.normalisation,
        "outputs": list(header.labels),
    }
    return Card(
        line=line,
        network=DenseNet121.name,
        input=source.name,
        labels=source.labels,
        shape=source.shape,
        thresholds={label: header.thresholds.get(label, THRESHOLD) for label in source.labels},
        feature_mean=(),
        feature_std=(),
        metrics={},
        dataset=f"weights@{header.sha256}",  # It has no dataset here; lineage ends in this file.
        training_units=(),
        training_digest=cards.digest(()),
        code=origin.code(),
        seed=0,
        params=params,
        created_at=now(),
        limits=LIMITS + cards.LIMITS,
    )


def _record(card: Card) -> bytes:
    record = {
        "schema": "import/1",
        "line": card.line,
        "params": card.params,
        "dataset": card.dataset,
        "code": card.code,
        "host": origin.host(),
        "started_at": card.created_at,
    }
    return msgspec.json.format(msgspec.json.encode(record), indent=1)


def _golden(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return images to check a server with: soft random patches, as there are no others here."""
    rows, columns, channels = shape
    patches = np.random.default_rng(0).integers(0, 256, (GOLDEN_IMAGES, GRID, GRID, channels))
    block = (1, -(-rows // GRID), -(-columns // GRID), 1)
    drawn: NDArray[np.uint8] = np.kron(patches, np.ones(block)).astype(np.uint8)
    return drawn[:, :rows, :columns]
