"""What labelled images are: how many of what, of whom, and what comes together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from msgspec import Struct

from chexnet.data.labels import Labelled
from chexnet.data.splits import split_of
from chexnet.evaluation.details import DETAILS

BAND = 10  # Years.
UNKNOWN = "unknown"


class Report(Struct, frozen=True, kw_only=True):
    """Counts of images, but `patients`. One patient may have several."""

    images: int
    patients: int
    labels: tuple[str, ...]
    positive: dict[str, dict[str, int]]  # Label → split → images with the finding.
    known: dict[str, int]  # Label → images of which anybody knows.
    together: tuple[tuple[int, ...], ...]  # [label][label] images with both.
    none: int  # Images without any finding.
    splits: dict[str, int]
    details: dict[str, dict[str, int]]  # sex, view, age in tens of years → images.


def report(
    rows: Sequence[Labelled], labels: Sequence[str], image_id: Callable[[Labelled], str]
) -> Report:
    """Return the counts.

    Args:
        rows: of a folder's labels.csv.
        labels: of the input in use.
        image_id: of an image of nobody known, which a dataset divides by it; empty where the file
            can't be read, so that it is in no split.
    """

    def split(row: Labelled) -> str:
        unit = row.patient or row.split or image_id(row)
        return row.split or (split_of(unit) if unit else UNKNOWN)

    y = np.array([row.findings for row in rows], np.uint8).reshape(len(rows), len(labels))
    present = (y == 1).astype(int)
    splits: list[str] = [split(row) for row in rows]
    positive = {
        label: dict(Counter(s for s, p in zip(splits, present[:, i], strict=True) if p))
        for i, label in enumerate(labels)
    }
    return Report(
        images=len(rows),
        patients=len({row.patient or row.file for row in rows}),
        labels=tuple(labels),
        positive=positive,
        known={label: int((y[:, i] <= 1).sum()) for i, label in enumerate(labels)},
        together=tuple(map(tuple, (present.T @ present).tolist())),
        none=int((~present.any(axis=1)).sum()),
        splits=dict(Counter(splits)),
        details={name: _counted(rows, name) for name in DETAILS},
    )


def _counted(rows: Sequence[Labelled], name: str) -> dict[str, int]:
    cells = (row.details.get(name, "") for row in rows)
    found = Counter(_band(cell) if name == "age" else cell or UNKNOWN for cell in cells)
    return {key: found[key] for key in sorted(found, key=lambda k: (k == UNKNOWN, len(k), k))}


def _band(cell: str) -> str:
    if not cell.isdigit():
        return UNKNOWN
    first = int(cell) // BAND * BAND
    return f"{first}-{first + BAND - 1}"
