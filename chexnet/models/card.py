"""The model card: what a release says of itself. It lies in the release, as JSON.

This file is free of TensorFlow: serving, experiments and the command line read cards.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import field

from chexnet.errors import BadInput, NotFound
from chexnet.messages import Record, decode_json, sha256

# Where things lie in a release, below its folder.
EXTRA = "assets.extra"
CARD = f"{EXTRA}/card.json"
GOLDEN = f"{EXTRA}/golden.npz"  # `x` and one array for each output.
WARMUP = f"{EXTRA}/tf_serving_warmup_requests"  # The name that TF Serving looks for.

INTENDED_USE = "Research and teaching on chest X-ray classification. Not a medical device."
LIMITS = (
    "Learnt from one data set: expect less elsewhere. Labels that were mined or planted are not a "
    "reader's. A probability is not a diagnosis, and a heat map shows where, not why."
)


class Card(Record, frozen=True, kw_only=True):
    """Model, data, metrics and origin of one release."""

    schema: str = "card/1"
    line: str
    network: str
    input: str
    labels: tuple[str, ...]  # In the order of the outputs.
    shape: tuple[int, ...]  # Of one canonical image.
    thresholds: dict[str, float]  # Label → the probability from which a finding is called present.
    # sigmoid(logit / temperature) is calibrated; answers stay as they are. None in older cards, and
    # where the validation images could not tell.
    temperature: float | None = None
    feature_mean: tuple[float, ...]  # Of the training images, for drift.
    feature_std: tuple[float, ...]
    # Of the validation images, for drift too; without them in older cards nobody can tell.
    score_deciles: dict[str, tuple[float, ...]] = field(default_factory=dict)  # Nine of a label.
    score_images: int | None = None  # That the deciles are of.
    feature_distance: float | None = None  # Of one image in a hundred; see evaluation/drift.py.
    metrics: dict[str, Any]  # Split → images, units, macro_auroc and auroc per label.
    # Of the test images, where they tell: attribute, value, images, units, macro_auroc, labels.
    subgroups: tuple[dict[str, Any], ...] = ()
    dataset: str  # repo@commit
    training_units: tuple[str, ...]  # Patients and image ids: neither may be in a comparison.
    training_digest: str  # See `digest`.
    code: str
    seed: int
    params: dict[str, Any]  # The recipe.
    created_at: datetime
    intended_use: str = INTENDED_USE
    limits: str = LIMITS


def digest(units: Iterable[str]) -> str:
    """Return the SHA-256 of the sorted units, one a line: two trainings on the same have one."""
    return sha256("\n".join(sorted(units)).encode())


def read(release: Path) -> Card:
    """Return the card of the release in the folder `release`.

    Raises:
        NotFound: there is none.
        BadInput: it is not a card (`malformed`), or of a schema that this version doesn't know.
    """
    try:
        data = (release / CARD).read_bytes()
    except FileNotFoundError as error:
        rule = f"A release must have a card at {CARD}. Received: a folder without, {release}."
        raise NotFound(f"{rule} Export it again with: chexnet train") from error
    return parse(data)


def parse(data: bytes) -> Card:
    """Return the card that `data` holds; raise BadInput as `read` does."""
    card = decode_json(data, Card)
    if card.schema != "card/1":
        rule = f"The schema of a card must be card/1. Received: {card.schema!r}."
        raise BadInput("schema", f"{rule} Upgrade this installation, or export the model again.")
    return card


def write(card: Card, release: Path) -> None:
    """Write the card into the folder `release`, readable by people too."""
    path = release / CARD
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(card.encode(), indent=1))
