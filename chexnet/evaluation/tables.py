"""The CSV files that an evaluation is made from: predictions, and what is known of the images.

Of what is known there are two kinds: NIH's own Data_Entry_2017.csv, and a table as
`chexnet data import` takes it (file or image_id, patient, one column for each label with 0, 1 or
nothing), which may also have the columns sex, age and view. Each may be gzipped.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TextIO

import numpy as np
from msgspec import Struct

from chexnet.errors import ConfigError
from chexnet.evaluation.details import DETAILS, age_group, grouped
from chexnet.evaluation.localisation import Box
from chexnet.evaluation.scored import Floats, Scored, Strings
from chexnet.inputs import nih

IMAGE = ("image_id", nih.IMAGE, "file", "image")  # What the column of names may be called.
PREFIXES = ("", "prob_")
CODES = {"1": 1, "0": 0, "": None}
SIDE = 1024  # Of the images that NIH published, in pixels: its boxes are in these.
SPELLED = {"Infiltrate": "Infiltration"}  # So in NIH's file of boxes.
NAMED = 5
_Line = tuple[int, dict[str, str]]


class Predictions(Struct, frozen=True):
    """What a model said: probabilities [N, L] of images by name."""

    labels: tuple[str, ...]
    image: tuple[str, ...]
    probabilities: Floats

    def only(self, names: Container[str]) -> Predictions:
        """Return those of some images; raise ConfigError if that is none."""
        rows = [row for row, image in enumerate(self.image) if listed(image, names)]
        if not rows:
            rule = "A list must name an image that has a prediction."
            raise ConfigError(f"{rule} Received: none of {len(self.image)}. Correct the list.")
        chosen = tuple(self.image[row] for row in rows)
        return Predictions(self.labels, chosen, self.probabilities[rows])


class Known(Struct, frozen=True, kw_only=True):
    """What is known of one image: each label is 1, 0 or None."""

    patient: str
    findings: tuple[int | None, ...]
    details: dict[str, str]  # Empty values where unknown.


def predictions(path: Path, labels: Sequence[str]) -> Predictions:
    """Return the predictions in a file.

    Args:
        path: one column names the image; each label has one, by its name or with prob_ before it.
        labels: of the input in use; those without a column are not evaluated.

    Raises:
        ConfigError: a column is missing, an image comes twice, or a cell is no number.
    """
    columns, lines = _open(path)
    key = _image_column(columns, path)
    found = {n: p + n for n in labels for p in PREFIXES if p + n in columns}
    if not found:
        rule = f"Predictions need a column for each label, such as {labels[0]} or prob_{labels[0]}."
        raise ConfigError(f"{rule} Received: {', '.join(columns)}, in {path}. Name them so.")
    rows: dict[str, list[float]] = {}
    for line, cells in lines:
        if cells[key] in rows:
            rule = f"An image must come once. Received: {cells[key]!r} again"
            raise ConfigError(f"{rule} in line {line} of {path}. Remove one.")
        rows[cells[key]] = [_number(cells[name], name, path, line) for name in found.values()]
    return Predictions(tuple(found), tuple(rows), np.array(list(rows.values())))


def reference(path: Path, labels: Sequence[str]) -> dict[str, Known]:
    """Return what is known of each image that the table names.

    Args:
        path: see this module; a label without a column is unknown.
        labels: the names and their order.

    Raises:
        ConfigError: it is no such table, or a cell is none of 0, 1 and nothing.
    """
    columns, lines = _open(path)
    key = _image_column(columns, path)
    official = nih.FOUND in columns
    if not official and not set(labels) & set(columns):
        rule = "A reference needs the column Finding Labels, or one for each label."
        raise ConfigError(f"{rule} Received: {', '.join(columns)}, in {path}. Name them so.")
    known: dict[str, Known] = {}
    for line, cells in lines:
        read = _official(cells, labels) if official else _own(cells, labels, path, line)
        known[cells[key]] = read if read.patient else _alone(read, cells[key])
    return known


def join(said: Predictions, known: Mapping[str, Known], notes: list[str]) -> Scored:
    """Return predictions beside what is known of their images.

    Images of which nothing is known are left out, and `notes` gets a sentence that says so.

    Raises:
        ConfigError: nothing is known of any, or a probability is not within 0 and 1.
    """
    rows = [row for row, image in enumerate(said.image) if image in known]
    if left := [image for image in said.image if image not in known]:
        first = ", ".join(left[:NAMED]) + (" …" if len(left) > NAMED else "")
        notes.append(f"{len(left)} of {len(said.image)} images are not in the reference: {first}")
    if not rows:
        rule = "Predictions and reference must name the same images."
        raise ConfigError(f"{rule} Received: none in common of {len(said.image)}. Correct either.")
    facts = [known[said.image[row]] for row in rows]
    codes = np.array([[-1 if c is None else c for c in fact.findings] for fact in facts])
    columns: dict[str, Strings] = {
        name: np.array([fact.details.get(name, "") for fact in facts]) for name in DETAILS
    }
    try:
        return Scored.of(
            said.labels,
            [said.image[row] for row in rows],
            [fact.patient for fact in facts],
            said.probabilities[rows],
            codes == 1,
            codes >= 0,
            {name: column for name, column in columns.items() if column.any()},
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error


def boxes(path: Path) -> list[Box]:
    """Return the boxes of a file in the format of NIH's BBox_List_2017.csv; raise ConfigError.

    Its columns are the image, the label, and left, top, width and height in pixels of a side of
    1,024; the header names the four as one.
    """
    with _text(path) as lines:
        rows = csv.reader(lines)
        head = next(rows, [])
        if head[:2] != ["Image Index", "Finding Label"]:
            rule = "Boxes need the columns Image Index, Finding Label, and four numbers."
            raise ConfigError(f"{rule} Received: {', '.join(head)}, in {path}.")
        found = []
        for row in rows:
            try:
                left, top, width, height = (float(cell) / SIDE for cell in row[2:6])
            except ValueError as error:
                rule = f"A box must have four numbers. Received: {row[2:6]}"
                raise ConfigError(f"{rule} in line {rows.line_num} of {path}.") from error
            found.append(
                Box(
                    image=row[0],
                    label=SPELLED.get(row[1], row[1]),
                    left=left,
                    top=top,
                    right=left + width,
                    bottom=top + height,
                )
            )
    return found


def listed(image: str, names: Container[str]) -> bool:
    """Return whether a list has an image: as it is called, or by the last part of its path."""
    return image in names or PurePosixPath(image).name in names


def names(path: Path) -> set[str]:
    """Return the image names in a list, one a line, as NIH's test_list.txt."""
    with _text(path) as lines:
        return {line.strip() for line in lines if line.strip()}


def _official(cells: Mapping[str, str], labels: Sequence[str]) -> Known:
    said = nih.entry(cells)
    return Known(
        patient=said.patient,
        findings=tuple(int(label in said.findings) for label in labels),
        details={"sex": said.sex, "age": _age(said.age), "view": said.view},
    )


def _own(cells: Mapping[str, str], labels: Sequence[str], path: Path, line: int) -> Known:
    for label in labels:
        if (cell := cells.get(label, "")) not in CODES:
            rule = f"A finding must be 0, 1 or empty. Received: {cell!r} for {label}"
            raise ConfigError(f"{rule} in line {line} of {path}. Correct it.")
    return Known(
        patient=cells.get("patient", ""),
        findings=tuple(CODES[cells.get(label, "")] for label in labels),
        details=grouped(cells),
    )


def _alone(known: Known, image: str) -> Known:
    """Take an image of nobody known for a patient of its own."""
    return Known(patient=image, findings=known.findings, details=known.details)


def _age(years: int | None) -> str:
    return "" if years is None else age_group(years)


def _number(cell: str, column: str, path: Path, line: int) -> float:
    try:
        return float(cell)
    except ValueError as error:
        rule = f"A probability must be a number. Received: {cell!r} for {column}"
        raise ConfigError(f"{rule} in line {line} of {path}. Correct it.") from error


def _image_column(columns: Sequence[str], path: Path) -> str:
    for name in IMAGE:
        if name in columns:
            return name
    rule = f"One column must name the image: {', '.join(IMAGE)}."
    raise ConfigError(f"{rule} Received: {', '.join(columns) or 'none'}, in {path}. Name it so.")


def _open(path: Path) -> tuple[list[str], Iterator[_Line]]:
    """Return a table's columns, and its lines by number."""
    with _text(path) as lines:
        columns = csv.DictReader(lines).fieldnames or []
    return list(columns), _lines(path)


def _lines(path: Path) -> Iterator[_Line]:
    with _text(path) as lines:
        rows = csv.DictReader(lines, restval="")
        for row in rows:
            yield rows.line_num, row


def _text(path: Path) -> TextIO:
    if not path.is_file():
        raise ConfigError(f"A table must be a file. Received: {path}, where there is none.")
    if path.suffix == ".gz":
        return gzip.open(path, "rt", newline="", encoding="utf-8-sig")
    return path.open(newline="", encoding="utf-8-sig")  # Spreadsheets write a mark in front.
