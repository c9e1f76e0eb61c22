"""A dataset assembled: canonical images of a folder, with what the tables say of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct, field

from chexnet.data import labels, places
from chexnet.data.dataset import Example, Index, write
from chexnet.inputs.base import Input

REPORT = "report.json"
NAMED = 20  # Files that the report names of each kind.


class Report(Struct, kw_only=True):
    """What is in the dataset, and what is not and why: how many, and the first ones' names."""

    schema: str = "report/1"
    images: int = 0
    unlabelled: int = 0  # Images of which nothing is known.
    twice: int = 0  # The same image again; under two units it could be in two splits.
    wrong_shape: int = 0
    absent: int = 0  # Labelled, but not among the images.
    named: dict[str, list[str]] = field(default_factory=dict)

    def leave_out(self, kind: str, name: str) -> None:
        """Count something that is left out."""
        setattr(self, kind, getattr(self, kind) + 1)
        listed = self.named.setdefault(kind, [])
        if len(listed) < NAMED:
            listed.append(name)


def assemble(images: Path, tables: Path, source: Input, out: Path) -> tuple[Index, Report]:
    """Write the dataset of all labelled images below `images`.

    Args:
        images: `data/<group>/<unit>/<name>.npy`, as the pipeline `images` writes them.
        tables: `<name>.csv`, as the repo `labels` has them.
        source: the pipeline's input.
        out: where index, shards and report go.

    Raises:
        ConfigError: a table is not one.
    """
    known = labels.merged(
        {table.stem: labels.parse_table(table, source.labels) for table in tables.glob("*.csv")}
    )
    report, seen = Report(), set[str]()
    index = write(out, source, _examples(images, known, source, report, seen))
    for image in sorted(known.keys() - seen):
        report.leave_out("absent", image)
    report.images = sum(index.images.values())
    (out / REPORT).write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    return index, report


def _examples(
    images: Path, known: dict[str, labels.Row], source: Input, report: Report, seen: set[str]
) -> Iterator[Example]:
    for file in sorted(images.glob("data/*/*/*.npy")):
        place = places.parse(file.relative_to(images))
        row = known.get(place.image_id)
        if row is None:
            report.leave_out("unlabelled", place.path(".npy"))
        elif place.image_id in seen:
            report.leave_out("twice", place.path(".npy"))
        elif (x := np.load(file)).shape != source.shape or x.dtype != np.uint8:
            report.leave_out("wrong_shape", place.path(".npy"))
        else:
            seen.add(place.image_id)
            yield Example(x, row.findings, place.unit, place.image_id)
