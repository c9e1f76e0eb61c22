"""Curation: what readers recorded becomes labels, and who said it stays on record."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import Struct

from chexnet.data.bulk import write_if_new
from chexnet.data.labels import READERS, UNKNOWN, Row, table_of
from chexnet.data.places import LABELS
from chexnet.experiments.truths import once, truths
from chexnet.inputs.base import Input
from chexnet.messages import Feedback, decode_json
from chexnet.steps.ports import Store

FEEDBACK = "feedback"
CODES = {"present": 1, "absent": 0}
TABLE, WHO = f"/{READERS}.csv", f"/who/{READERS}.csv"
COLUMNS = ("image_id", "patient", "label", "finding", "reader", "protocol", "recorded_at", "read")


class Merged(Struct, frozen=True, kw_only=True):
    """What became of the reads."""

    images: int  # Of which readers' words are labels now.
    reads: int
    readers: int
    held: int  # Reads under the embargo.
    commit: str | None  # Of the repo `labels`; None where it holds nothing.


def merge_reads(store: Store, source: Input, *, embargo: datetime | None = None) -> Merged:
    """Bring the table of what readers recorded to the newest archived reads.

    Blinded and reference reads count, the newest word on each label, as in an experiment; unsure is
    unknown. Assisted reads don't count: a model would learn what a model had said. A second table
    says who said what.

    Args:
        store: of the pipeline.
        source: the pipeline's input.
        embargo: the start of the running experiment; what was read since is held back, as it may
            be the experiment's evidence.
    """
    counted = [read for read in once(_reads(store)) if read.protocol != "assisted"]
    reads = [read for read in counted if embargo is None or read.recorded_at < embargo]
    units = {read.image_id: read.unit for read in reads}
    rows = {
        image: Row(
            units[image],
            tuple(CODES.get(truth.findings.get(label, ""), UNKNOWN) for label in source.labels),
        )
        for image, truth in truths(reads).items()
    }
    if rows or store.list(LABELS, TABLE):  # Reads can go: a patient was forgotten.
        store.ensure(LABELS)
        table = table_of(sorted(rows.items()), source.labels)
        write_if_new(store, LABELS, {TABLE: table, WHO: _who(reads)})
    return Merged(
        images=len(rows),
        reads=len(reads),
        readers=len({read.reader for read in reads}),
        held=len(counted) - len(reads),
        commit=store.head(LABELS),
    )


def _who(reads: Iterable[Feedback]) -> bytes:
    """Return a row for each finding of each read, in the order of their time."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for read in sorted(reads, key=lambda r: (r.recorded_at, r.feedback_id)):
        for label, finding in sorted(read.findings.items()):
            said = (label, finding, read.reader, read.protocol)
            at = read.recorded_at.isoformat()
            table.writerow((read.image_id, read.unit, *said, at, read.feedback_id))
    return text.getvalue().encode()


def _reads(store: Store) -> Iterator[Feedback]:
    if store.head(FEEDBACK) is not None:
        for _, data in store.fetch(FEEDBACK, "/data"):
            yield decode_json(data, Feedback)
