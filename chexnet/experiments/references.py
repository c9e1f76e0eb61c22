"""Known findings from a table, as feedback: blinded reads or references made elsewhere."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from msgspec import Struct

from chexnet import topics
from chexnet.errors import ConfigError
from chexnet.messages import Feedback, Headers, Message, Prediction, Presence, sha256

KEYS = ("upload_id", "image_id", "file")
WORDS: dict[str, Presence] = {
    "1": "present",
    "present": "present",
    "0": "absent",
    "absent": "absent",
    "unsure": "unsure",
    "": "not_assessed",
    "not_assessed": "not_assessed",
}
Protocol = Literal["blinded", "reference"]


class Row(Struct, frozen=True):
    """One image of the table, and its findings. The key of a file never uploaded is its name."""

    key: str
    findings: dict[str, Presence]


def read_table(table: Path, labels: Sequence[str], uploads: Mapping[str, str]) -> list[Row]:
    """Return the rows of a CSV file.

    Args:
        table: one of the columns upload_id, image_id or file, and one for each label that was
            assessed: 1 or present, 0 or absent, unsure, or nothing; other columns are left alone.
        labels: of the input in use.
        uploads: file name → upload id, where the table names files.

    Raises:
        ConfigError: the table has no such column, or a cell is none of these words.
    """
    with table.open(newline="") as file:
        rows = csv.DictReader(file)
        columns = rows.fieldnames or []
        key = next((name for name in KEYS if name in columns), None)
        known = [label for label in labels if label in columns]
        if key is None or not known:
            rule = f"A table must have a column {', '.join(KEYS[:2])} or file, and some labels."
            received = f"Received: {', '.join(columns) or 'no column'}, in {table}."
            raise ConfigError(f"{rule} {received} The labels are {', '.join(labels)}.")
        return [
            Row(
                uploads.get(row[key], row[key]) if key == "file" else row[key],
                {label: _word(row[label], label, table, rows.line_num) for label in known},
            )
            for row in rows
        ]


def feedback(
    rows: Iterable[Row],
    predictions: Iterable[Prediction],
    *,
    reader: str,
    protocol: Protocol,
    at: datetime,
    known: Iterable[Feedback] = (),
) -> tuple[list[Feedback], list[str]]:
    """Return the rows as feedback, and the ids that no prediction knows.

    To import a table twice is to import it once: a row that says what this reader's newest words
    are makes no feedback, and the same row has the same feedback id. Only a word that was changed
    in between and is changed back has another.

    Args:
        rows: of the table.
        predictions: of the images that it may name.
        reader: of all rows.
        protocol: of all rows.
        at: now.
        known: reads on record.
    """
    images: dict[str, Prediction] = {}
    for p in predictions:
        images |= {p.upload_id: p, p.image_id: p}
    earlier: dict[str, list[Feedback]] = {}
    for f in sorted(known, key=lambda f: (f.recorded_at, f.feedback_id)):
        if (f.reader, f.protocol) == (reader, protocol):
            earlier.setdefault(f.image_id, []).append(f)
    made, unknown = [], []
    for row in rows:
        image = images.get(row.key)
        if image is None:
            unknown.append(row.key)
            continue
        before = earlier.get(image.image_id, [])
        newest = {k: v for f in before for k, v in f.findings.items() if v != "not_assessed"}
        if before and newest == {**newest, **_assessed(row.findings)}:
            continue
        said = ",".join(f"{k}={v}" for k, v in sorted(row.findings.items()))
        identity = f"{reader}\n{protocol}\n{image.image_id}\n{said}"
        if again := sum(f.findings == row.findings for f in before):
            identity += f"\n{again}"
        made.append(
            Feedback(
                feedback_id=sha256(identity.encode())[:32],
                image_id=image.image_id,
                upload_id=row.key if row.key != image.image_id else "",
                unit=image.unit,
                reader=reader,
                findings=row.findings,
                protocol=protocol,
                recorded_at=at,
            )
        )
    return made, unknown


def _assessed(findings: Mapping[str, Presence]) -> dict[str, Presence]:
    return {label: said for label, said in findings.items() if said != "not_assessed"}


def message(read: Feedback) -> Message:
    """Return the message that puts a read on record."""
    headers = Headers(
        schema=topics.FEEDBACK.schemas[-1],
        upload_id=read.upload_id,
        image_id=read.image_id,
        created_at=read.recorded_at,
    )
    return Message(topic=topics.FEEDBACK, key=read.unit, value=read.encode(), headers=headers)


def _word(cell: str, label: str, table: Path, line: int) -> Presence:
    word = (cell or "").strip().lower()
    if word not in WORDS:
        rule = f"A finding must be one of {', '.join(w for w in WORDS if w)} or empty."
        raise ConfigError(f"{rule} Received: {cell!r} for {label} in line {line} of {table}.")
    return WORDS[word]
