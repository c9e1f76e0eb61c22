"""Datasets of the tests, made as the pipelines make them but without a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from chexnet.data.checkout import Dataset, unpack
from chexnet.data.dataset import Example, Index, write
from chexnet.data.labels import LABELS_FILE, read_labels
from chexnet.evaluation.details import grouped
from chexnet.inputs.base import Input, Limits


def folder(images: Path, source: Input, out: Path) -> Index:
    """Write the dataset of a folder of labelled files."""
    return write(out, source, _examples(images, source))


def dataset(images: Path, source: Input, scratch: Path, name: str = "dataset@0") -> Dataset:
    """Return the dataset of a folder of labelled files, opened."""
    folder(images, source, scratch / "files")
    (scratch / "arrays").mkdir()
    return unpack(scratch / "files", name, scratch / "arrays")


def _examples(images: Path, source: Input) -> Iterator[Example]:
    limits = Limits()
    for row in read_labels(images / LABELS_FILE, source.labels):
        cleaned = source.clean(row.path.read_bytes(), limits)
        x = source.decode(cleaned.data, limits)
        yield Example(
            x,
            row.findings,
            row.patient or cleaned.image_id,
            cleaned.image_id,
            details=grouped(row.details),
        )
