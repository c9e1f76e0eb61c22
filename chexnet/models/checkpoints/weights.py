"""Imported weights: a safetensors file that says what it takes to use them rightly.

Names and layout are torchvision's, so that other tools read the file too; the metadata's `chexnet`
holds the header as JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from chexnet.errors import BadInput, ConfigError
from chexnet.messages import Record, decode_json
from chexnet.models.checkpoints import densenet
from chexnet.models.checkpoints.densenet import Arrays
from chexnet.models.checkpoints.files import opened

SUFFIX = ".safetensors"
HEADER = "chexnet"
Normalisation = Literal["imagenet", "torchxrayvision"]
NORMALISATIONS: tuple[Normalisation, ...] = get_args(Normalisation)


class Header(Record, frozen=True, kw_only=True):
    """What weights are of.

    Args:
        network: whose they are.
        labels: of the classifier's outputs, in their order.
        normalisation: of the pixels, as they were trained.
        sha256: of the checkpoint that they came in.
        thresholds: label → the probability from which it is present, where the checkpoint says so.
    """

    schema: str = "weights/1"
    network: str = "densenet121"
    labels: tuple[str, ...]
    normalisation: Normalisation
    sha256: str
    thresholds: dict[str, float] = {}  # noqa: RUF012  # A struct copies its defaults.


def write(path: Path, header: Header, arrays: Arrays) -> None:
    """Write weights, by torchvision's names, to a file that must not be read meanwhile."""
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    save_file(whole, path, metadata={HEADER: header.encode().decode()})


def read(path: Path) -> tuple[Header, Arrays]:
    """Return the header and the weights.

    Raises:
        ConfigError: there is no such file.
        BadInput: it is no file of this kind, or of a schema that this version doesn't know.
    """
    if not path.is_file():
        rule = "Weights must be a file that chexnet import-weights wrote."
        raise ConfigError(f"{rule} Received: {path}, which is no file. Correct the path.")
    try:
        with safe_open(path, framework="np") as file:
            told = (file.metadata() or {}).get(HEADER)
    except SafetensorError as error:
        raise BadInput("weights", f"Weights must be safetensors. Received: {error}.") from error
    if told is None:
        rule = "Weights must say their labels and normalisation."
        todo = "Bring them in first: chexnet import-weights"
        raise BadInput("weights", f"{rule} Received: {path.name}, which doesn't. {todo}")
    header = decode_json(told.encode(), Header)
    if header.schema != "weights/1":
        rule = "The schema of weights must be weights/1."
        raise BadInput("schema", f"{rule} Received: {header.schema!r}. Import them again.")
    with opened(path) as tree:
        return header, densenet.arrays(tree)


def normalisation_of(name: str) -> Normalisation:
    """Return the normalisation that is called so; raise ConfigError if there is none."""
    for known in NORMALISATIONS:
        if known == name:
            return known
    rule = f"The normalisation must be one of {', '.join(NORMALISATIONS)}."
    raise ConfigError(
        f"{rule} Received: {name!r}. Take the one that the weights were trained with."
    )


def columns(have: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Return where each wanted label stands among those of the weights; raise ConfigError."""
    missing = [label for label in wanted if label not in have]
    if missing:
        rule = f"Weights must have an output for each label of the input: {', '.join(wanted)}."
        received = f"Received: none for {', '.join(missing)}, of {', '.join(have)}."
        todo = "Take other weights, or an input with fewer labels; names are compared exactly."
        raise ConfigError(f"{rule} {received} {todo}")
    return [list(have).index(label) for label in wanted]
