"""Labels: labels.csv, which lies beside images, and the tables of the repo `labels`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from msgspec import Struct

from chexnet.errors import ConfigError

LABELS_FILE = "labels.csv"
UNKNOWN = 255  # In y: nobody said whether the finding is there. Training leaves it out.
CODES = {"0": 0, "1": 1, "": UNKNOWN}
CELLS = {code: cell for cell, code in CODES.items()}
_DISPUTED = 254  # Between: one says present, another absent.
READERS = "readers"  # The table of what readers recorded; its word counts before an import's.


class Row(Struct, frozen=True):
    """What is known of one image."""

    unit: str
    findings: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """One file, whose it is, and its findings in the order of the input's labels."""

    file: str  # As the table names it.
    path: Path
    patient: str  # Empty where nobody knows.
    findings: tuple[int, ...]  # 0 absent, 1 present, 255 unknown.


def read_labels(table: Path, labels: Sequence[str]) -> list[Labelled]:
    """Return the rows of a CSV file that lies beside its images.

    Args:
        table: columns `file`, `patient` (optional) and one for each label, with 0, 1 or nothing;
            other columns are left alone.
        labels: of the input in use.

    Raises:
        ConfigError: there is no such table, a column is missing, or a cell is none of these.
    """
    try:
        file = _opened(table)
    except FileNotFoundError as error:
        rule = f"A folder of labelled images must have a {LABELS_FILE}. Received: none at {table}."
        raise ConfigError(f"{rule} Make one, or images with: chexnet data phantoms") from error
    with file:
        rows = csv.DictReader(file)
        missing = [name for name in ("file", *labels) if name not in (rows.fieldnames or ())]
        if missing:
            rule = f"{table} must have the columns file and one for each label of the input."
            received = f"Received: a table without {', '.join(missing)}."
            raise ConfigError(f"{rule} {received} Add them; leave a cell empty where unknown.")
        return [
            Labelled(
                file=row["file"],
                path=table.parent / row["file"],
                patient=row.get("patient") or "",
                findings=tuple(_code(row[name], name, table, rows.line_num) for name in labels),
            )
            for row in rows
        ]


def _code(cell: str, label: str, table: Path, line: int) -> int:
    if cell not in CODES:
        rule = f"A finding must be 0, 1 or empty. Received: {cell!r} for {label}"
        raise ConfigError(f"{rule} in line {line} of {table}. Correct it.")
    return CODES[cell]


def table_of(rows: Iterable[tuple[str, Row]], labels: Sequence[str]) -> bytes:
    """Return a table of the repo `labels`: image_id, patient, and a column for each label.

    Args:
        rows: image id and what is known of it.
        labels: of the input in use.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["image_id", "patient", *labels])
    for image, row in rows:
        table.writerow([image, row.unit, *(CELLS[code] for code in row.findings)])
    return text.getvalue().encode()


def parse_table(table: Path, labels: Sequence[str]) -> Iterator[tuple[str, Row]]:
    """Yield each image id and what a table of the repo `labels` says of it.

    Args:
        table: columns `image_id`, `patient` (optional) and those of the input's labels that it
            knows, with 0, 1 or nothing.
        labels: of the input in use.

    Raises:
        ConfigError: it has no such columns, or a cell is none of these.
    """
    with _opened(table) as file:
        rows = csv.DictReader(file)
        columns = rows.fieldnames or ()
        if "image_id" not in columns or not set(labels) & set(columns):
            rule = "A table of the repo labels must have the column image_id and some labels."
            raise ConfigError(f"{rule} Received: {', '.join(columns) or 'none'}, in {table.name}.")
        for row in rows:
            known = (_code(row.get(name) or "", name, table, rows.line_num) for name in labels)
            yield row["image_id"], Row(row.get("patient") or "", tuple(known))


def _opened(table: Path) -> TextIO:
    return table.open(newline="", encoding="utf-8-sig")  # Spreadsheets write a mark in front.


class Merged(Struct, frozen=True):
    """What all tables say together."""

    findings: dict[str, tuple[int, ...]]  # By image id; images of which none is known are out.
    read: set[str]  # Images of which readers recorded something.
    disputed: set[str]  # Images with a finding on which imports disagree, and no reader decided.


def merge(tables: Mapping[str, Iterable[tuple[str, Row]]]) -> Merged:
    """Return what tables say together, label by label.

    The readers' word counts before an import's. Where imports disagree nobody knows which is
    right, so that the finding is unknown: a wrong label costs training more than a missing one.

    Args:
        tables: name → image id and what is known of it.
    """
    said: dict[str, tuple[int, ...]] = {}
    for name in tables.keys() - {READERS}:
        for image, row in tables[name]:
            said[image] = tuple(map(_agreed, said.get(image, row.findings), row.findings))
    read: set[str] = set()
    for image, row in tables.get(READERS, ()):
        read.add(image)
        said[image] = tuple(map(_first, row.findings, said.get(image, row.findings)))
    disputed = {image for image, findings in said.items() if _DISPUTED in findings}
    for image in disputed:
        said[image] = tuple(UNKNOWN if code == _DISPUTED else code for code in said[image])
    known = {image: codes for image, codes in said.items() if set(codes) != {UNKNOWN}}
    return Merged(known, read & known.keys(), disputed)


def _agreed(one: int, other: int) -> int:
    if UNKNOWN in (one, other):
        return min(one, other)
    return one if one == other else _DISPUTED


def _first(one: int, other: int) -> int:
    return other if one == UNKNOWN else one
