"""Curation: what readers recorded becomes labels, and the data of a moment becomes a dataset."""

from __future__ import annotations

from collections.abc import Iterator

from chexnet.data.bulk import write_if_new
from chexnet.data.labels import READERS, UNKNOWN, Row, table_of
from chexnet.data.places import LABELS
from chexnet.experiments.cases import truths
from chexnet.inputs.base import Input
from chexnet.messages import Feedback, decode_json
from chexnet.steps.ports import Store

FEEDBACK = "feedback"
CODES = {"present": 1, "absent": 0}


def write_readers(store: Store, source: Input) -> None:
    """Bring the table of what readers recorded to the newest archived reads.

    Blinded and reference reads count, the newest word on each label, as in an experiment; unsure is
    unknown. Assisted reads don't count: a model would learn what a model had said.
    """
    reads = list(_reads(store))
    units = {read.image_id: read.unit for read in reads}
    rows = {
        image: Row(
            units[image],
            tuple(CODES.get(truth.findings.get(label, ""), UNKNOWN) for label in source.labels),
        )
        for image, truth in truths(reads).items()
    }
    path = f"/{READERS}.csv"
    if rows or store.list(LABELS, path):  # Reads can go: a patient was forgotten.
        store.ensure(LABELS)
        write_if_new(store, LABELS, path, table_of(sorted(rows.items()), source.labels))


def _reads(store: Store) -> Iterator[Feedback]:
    if store.head(FEEDBACK) is not None:
        for _, data in store.fetch(FEEDBACK, "/data"):
            yield decode_json(data, Feedback)
