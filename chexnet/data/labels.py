"""Labels: labels.csv, which lies beside images, and the tables of the repo `labels`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from msgspec import Struct, field

from chexnet.data.splits import SPLITS, Split, one_each
from chexnet.errors import ConfigError
from chexnet.evaluation.details import DETAILS

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
    split: Split | None = None  # As the import says; by hash without.
    details: dict[str, str] = field(default_factory=dict)  # Sex, age and view, in groups.


class Labelled(Struct, frozen=True, kw_only=True):
    """One file, whose it is, and its findings in the order of the input's labels."""

    file: str  # As the table names it.
    path: Path
    patient: str  # Empty where nobody knows.
    findings: tuple[int, ...]  # 0 absent, 1 present, 255 unknown.
    split: Split | None = None  # As the table says.
    details: dict[str, str] = field(default_factory=dict)  # Its columns sex, age and view.


def read_labels(table: Path, labels: Sequence[str]) -> list[Labelled]:
    """Return the rows of a CSV file that lies beside its images.

    Args:
        table: columns `file`, `patient` (optional) and one for each label, with 0, 1 or nothing;
            `split` (optional): train, validation, test or nothing; `sex`, `age` and `view` are for
            reports; other columns are left alone.
        labels: of the input in use.

    Raises:
        ConfigError: there is no such table, a column is missing, a cell is none of these, or a
            patient is in two splits.
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
        read = [
            Labelled(
                file=row["file"],
                path=table.parent / row["file"],
                patient=row.get("patient") or "",
                findings=tuple(_code(row[name], name, table, rows.line_num) for name in labels),
                split=_split(row.get("split"), table, rows.line_num),
                details={name: row[name] for name in DETAILS if row.get(name)},
            )
            for row in rows
        ]
    one_each((row.patient, row.split) for row in read if row.patient and row.split)
    return read


def _split(cell: str | None, table: Path, line: int) -> Split | None:
    if not cell:
        return None
    for split in SPLITS:
        if cell == split:
            return split
    rule = f"A split must be {', '.join(SPLITS)} or empty. Received: {cell!r}"
    raise ConfigError(f"{rule} in line {line} of {table}. Correct it.")


def _code(cell: str, label: str, table: Path, line: int) -> int:
    if cell not in CODES:
        rule = f"A finding must be 0, 1 or empty. Received: {cell!r} for {label}"
        raise ConfigError(f"{rule} in line {line} of {table}. Correct it.")
    return CODES[cell]


def table_of(rows: Iterable[tuple[str, Row]], labels: Sequence[str]) -> bytes:
    """Return a table of the repo `labels`: image_id, patient, and a column for each label.

    Args:
        rows: image id and what is known of it; where a split or details are told, there are columns
            for them.
        labels: of the input in use.
    """
    rows = list(rows)
    told = any(row.split for _, row in rows)
    details = [name for name in DETAILS if any(row.details.get(name) for _, row in rows)]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["image_id", "patient", *labels, *(["split"] * told), *details])
    for image, row in rows:
        findings = (CELLS[code] for code in row.findings)
        more = (row.details.get(name, "") for name in details)
        table.writerow([image, row.unit, *findings, *([row.split or ""] * told), *more])
    return text.getvalue().encode()


def parse_table(table: Path, labels: Sequence[str]) -> Iterator[tuple[str, Row]]:
    """Yield each image id and what a table of the repo `labels` says of it.

    Args:
        table: columns `image_id`, `patient` (optional) and those of the input's labels that it
            knows, with 0, 1 or nothing; `split`, `sex`, `age` and `view` (optional).
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
            split = _split(row.get("split"), table, rows.line_num)
            details = {name: row[name] for name in DETAILS if row.get(name)}
            yield row["image_id"], Row(row.get("patient") or "", tuple(known), split, details)


def _opened(table: Path) -> TextIO:
    return table.open(newline="", encoding="utf-8-sig")  # Spreadsheets write a mark in front.


class Merged(Struct, frozen=True):
    """What all tables say together."""

    findings: dict[str, tuple[int, ...]]  # By image id; images of which none is known are out.
    read: set[str]  # Images of which readers recorded something.
    splits: dict[str, Split]  # Of units whose import says one.
    details: dict[str, dict[str, str]]  # By image id.
    disputed: set[str]  # Images with a finding on which imports disagree, and no reader decided.


def merge(tables: Mapping[str, Iterable[tuple[str, Row]]]) -> Merged:
    """Return what tables say together, label by label.

    The readers' word counts before an import's. Where imports disagree nobody knows which is
    right, so that the finding is unknown: a wrong label costs training more than a missing one.

    Args:
        tables: name → image id and what is known of it.

    Raises:
        ConfigError: two imports have a patient in two splits.
    """
    tables = {name: list(rows) for name, rows in tables.items()}
    told = ((row.unit, row.split) for rows in tables.values() for _, row in rows)
    splits = one_each((unit, split) for unit, split in told if unit and split)
    every = sorted(tables.items())
    details = {image: row.details for _, rows in every for image, row in rows if row.details}
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
    return Merged(known, read & known.keys(), splits, details, disputed)


def _agreed(one: int, other: int) -> int:
    if UNKNOWN in (one, other):
        return min(one, other)
    return one if one == other else _DISPUTED


def _first(one: int, other: int) -> int:
    return other if one == UNKNOWN else one
