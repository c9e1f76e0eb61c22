"""Which images a model learns from, is tuned on, and is tested on: a patient's are in one split.

By hash of the unit, for ever, so that no table has to be kept; or as an import says of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal

from chexnet.errors import ConfigError

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
TRAIN, VALIDATION = 0.7, 0.1  # As in the paper: 70/10/20.


def one_each(told: Iterable[tuple[str, Split]]) -> dict[str, Split]:
    """Return unit → split; raise ConfigError if a unit is told to be in two."""
    found: dict[str, Split] = {}
    for unit, split in told:
        if found.setdefault(unit, split) != split:
            rule = "A patient must be in one split, or a model is tested on whom it learnt from."
            received = f"Received: {found[unit]} and {split} for {unit}."
            raise ConfigError(f"{rule} {received} Correct the column split.")
    return found


def split_of(unit: str) -> Split:
    """Return the split of a unit (a patient's pseudonym, else an image id)."""
    digest = hashlib.sha256(f"split\0{unit}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    if share < TRAIN:
        return "train"
    return "validation" if share < TRAIN + VALIDATION else "test"
