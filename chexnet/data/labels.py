"""Labels: labels.csv, which lies beside images, and the tables of the repo `labels`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from chexnet.errors import ConfigError

LABELS_FILE = "labels.csv"
UNKNOWN = 255  # In y: nobody said whether the finding is there. Training leaves it out.
CODES = {"0": 0, "1": 1, "": UNKNOWN}
CELLS = {code: cell for cell, code in CODES.items()}
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
        file = table.open(newline="")
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


def parse_table(table: Path, labels: Sequence[str]) -> dict[str, Row]:
    """Return image id → what a table of the repo `labels` says; raise ConfigError."""
    with table.open(newline="") as file:
        rows = csv.DictReader(file)
        return {
            row["image_id"]: Row(
                row.get("patient") or "",
                tuple(_code(row.get(name) or "", name, table, rows.line_num) for name in labels),
            )
            for row in rows
        }


def merged(tables: Mapping[str, Mapping[str, Row]]) -> dict[str, Row]:
    """Return image id → what all tables say together, label by label.

    The readers' word counts before an import's; of two imports, the one whose name comes first.

    Args:
        tables: name → image id → what it says.
    """
    known: dict[str, Row] = {}
    for name in sorted(tables, key=lambda name: (name != READERS, name)):
        for image, row in tables[name].items():
            if (before := known.get(image)) is None:
                known[image] = row
            else:
                pairs = zip(before.findings, row.findings, strict=True)
                known[image] = Row(before.unit, tuple(b if a == UNKNOWN else a for a, b in pairs))
    return known
