"""A dataset assembled: canonical images of a folder, with what the tables say of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct, field

from chexnet.data import labels, places
from chexnet.data.dataset import Example, Index, write
from chexnet.errors import ConfigError
from chexnet.inputs.base import Input

REPORT = "report.json"
NAMED = 20  # Files that the report names of each kind.
Told = Callable[[int, int], None]


class Report(Struct, kw_only=True):
    """What is in the dataset, and what is not and why: how many, and the first ones' names."""

    schema: str = "report/1"
    images: int = 0
    read: int = 0  # Of which a reader recorded something.
    unlabelled: int = 0  # Images of which nothing is known.
    twice: int = 0  # The same image again; under two units it could be in two splits.
    wrong_shape: int = 0
    absent: int = 0  # Labelled, but not among the images.
    disputed: int = 0  # Images with a finding that is unknown since imports disagree on it.
    named: dict[str, list[str]] = field(default_factory=dict)

    def count(self, kind: str, name: str) -> None:
        """Count something that people may want to look at."""
        setattr(self, kind, getattr(self, kind) + 1)
        listed = self.named.setdefault(kind, [])
        if len(listed) < NAMED:
            listed.append(name)


def assemble(
    images: Path, tables: Path, source: Input, out: Path, told: Told = lambda *_: None
) -> tuple[Index, Report]:
    """Write the dataset of all labelled images below `images`, in the order of their paths.

    Args:
        images: `data/<group>/<unit>/<name>.npy`, as the pipeline `images` writes them.
        tables: `<name>.csv`, as the repo `labels` has them.
        source: the pipeline's input.
        out: where index, shards and report go.
        told: called with how many images are done, of how many.

    Raises:
        ConfigError: a table is not one, or no image is good.
    """
    read = {file.stem: labels.parse_table(file, source.labels) for file in tables.glob("*.csv")}
    known = labels.merge(read)
    report = Report()
    files = _choose(images, known, report)
    index = write(out, source, _examples(files, known, source, report, told))
    report.images = sum(index.images.values())
    if not report.images:
        rule = "A dataset must have at least one labelled image of the input's shape."
        received = f"{report.unlabelled + report.wrong_shape} images, none of them so"
        raise ConfigError(f"{rule} Received: {received}. Import or read some of them.")
    for image in sorted(known.findings.keys() - {place.image_id for _, place in files}):
        report.count("absent", image)
    for _, place in files:
        if place.image_id in known.disputed:
            report.count("disputed", place.image_id)
    (out / REPORT).write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    return index, report


def _choose(images: Path, known: labels.Merged, report: Report) -> list[tuple[Path, places.Place]]:
    """Return one file of each labelled image, in the order of their paths.

    Where an image came several times, one with a pseudonym counts: it keeps the image in the
    split of its patient, whatever comes later.
    """
    best: dict[str, tuple[bool, Path, places.Place]] = {}
    for file in sorted(images.glob("data/*/*/*.npy")):
        place = places.parse(file.relative_to(images))
        if place.image_id not in known.findings:
            report.count("unlabelled", place.path(".npy"))
            continue
        found = (place.unit == place.image_id, file, place)
        before = best.get(place.image_id)
        best[place.image_id] = found if before is None else min(before, found, key=_order)
        if before is not None:
            report.count("twice", max(before, found, key=_order)[2].path(".npy"))
    return [(file, place) for _, file, place in sorted(best.values(), key=lambda one: one[1])]


def _order(found: tuple[bool, Path, places.Place]) -> tuple[bool, Path]:
    return found[:2]


def _examples(
    files: list[tuple[Path, places.Place]],
    known: labels.Merged,
    source: Input,
    report: Report,
    told: Told,
) -> Iterator[Example]:
    for number, (file, place) in enumerate(files, start=1):
        x = np.load(file)
        if x.shape != source.shape or x.dtype != np.uint8:
            report.count("wrong_shape", place.path(".npy"))
        else:
            report.read += place.image_id in known.read
            yield Example(
                x,
                known.findings[place.image_id],
                place.unit,
                place.image_id,
                known.splits.get(place.unit),
                known.details.get(place.image_id, {}),
            )
        told(number, len(files))
