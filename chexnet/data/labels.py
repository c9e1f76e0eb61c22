"""labels.csv: which files there are, whose they are, and which findings are known of them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chexnet.errors import ConfigError

LABELS_FILE = "labels.csv"
UNKNOWN = 255  # In y: nobody said whether the finding is there. Training leaves it out.
CODES = {"0": 0, "1": 1, "": UNKNOWN}


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """One file, whose it is, and its findings in the order of the input's labels."""

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
