"""Which images a model learns from, is tuned on, and is tested on: by hash of the unit, for ever.

A patient's images are in one split, whenever they come, and no table has to be kept.
"""

from __future__ import annotations

import hashlib
from typing import Literal

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
TRAIN, VALIDATION = 0.7, 0.1  # As in the paper: 70/10/20.


def split_of(unit: str) -> Split:
    """Return the split of a unit (a patient's pseudonym, else an image id)."""
    digest = hashlib.sha256(f"split\0{unit}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    if share < TRAIN:
        return "train"
    return "validation" if share < TRAIN + VALIDATION else "test"
