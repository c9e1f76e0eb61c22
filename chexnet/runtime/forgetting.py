"""Forgetting a patient: what is kept of one, and taking it out of every repo and its history.

Files of one patient leave all commits. Files that hold many patients (tables, shards) are written
anew without this one, and their older contents leave too. Commits keep their ids: lineage of others
stays whole. What a model learnt stays in it: such versions are named, to be trained anew.

Inputs leave first, and the pipeline `images` follows: from then on no job has the patient, so that
its outputs and records can leave without one that runs putting them back.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from chexnet import release as releases
from chexnet.adapters.pachyderm import datum_meta
from chexnet.adapters.pachyderm.erasing import Eraser
from chexnet.data.assembly import REPORT
from chexnet.data.curation import WHO
from chexnet.data.dataset import SHARDS, TOLD
from chexnet.data.places import BULK, DATA, IMAGES, LABELS, RAW
from chexnet.errors import NotFound, Refused
from chexnet.experiments.observed import FEEDBACK, PREDICTIONS
from chexnet.experiments.registered import REPO as EXPERIMENTS
from chexnet.steps import archive
from chexnet.steps.ports import Store

DATASET, META = "dataset", "meta"
INPUTS = (RAW, BULK)
BY_PATIENT = (*INPUTS, IMAGES, PREDICTIONS, FEEDBACK)  # Their files lie below the unit.
# Of a pipeline's meta repo; they name paths.
NAMING = (datum_meta.EVERY, f"{datum_meta.RECORDS}/*", f"{datum_meta.PENDING}/*")
Rewrite = Callable[[bytes], bytes | None]  # None: the file does not hold the patient.


class Found(Struct, frozen=True, kw_only=True):
    """What is kept of a patient."""

    files: dict[str, int]  # Repo → files that are only theirs, in any commit.
    shared: dict[str, int]  # Repo → files that hold others too, in any commit.
    versions: tuple[int, ...]  # Released versions that were trained or tuned on them.

    @property
    def nothing(self) -> bool:
        """Whether there is no such patient."""
        return not (self.files or self.shared or self.versions)


class Erased(Struct, frozen=True, kw_only=True):
    """What was done."""

    freed: int  # Bytes, on the disk.
    uncut: str = ""  # Why no new dataset could be cut, if it could not.


class Shared(Struct, frozen=True):
    """One content of a file that holds many patients, with this one among them."""

    repo: str
    path: str
    hash: bytes


class Forgetting:
    """Finds and erases one patient.

    Args:
        store: of the pipeline.
        eraser: of the same.
        unit: the patient's pseudonym, or the image id of one that has none.

    Raises:
        NotFound: nobody can have this pseudonym. As a glob it could match everybody.
    """

    def __init__(self, store: Store, eraser: Eraser, unit: str) -> None:
        if not archive.NAME.fullmatch(unit):
            rule = "A pseudonym has 1 to 200 letters, digits, - _ = and points."
            raise NotFound(f"{rule} Received: {unit!r}. Take it from `unit` of a prediction.")
        self._store, self._unit = store, unit
        self._eraser = eraser

    def find(self) -> Found:
        """Return what is kept, in all commits."""
        own = {repo: self._eraser.find(repo, [self._pattern]) for repo in BY_PATIENT}
        files = {repo: len(found) for repo, found in own.items() if found}
        counts: dict[str, int] = {}
        for shared in self._shared():
            counts[shared.repo] = counts.get(shared.repo, 0) + 1
        return Found(files=files, shared=counts, versions=tuple(self._versions()))

    def erase(self, follow: Callable[[], object], cut: Callable[[], object]) -> Erased:
        """Take the patient out of everything; called again, it goes on where it was broken off.

        Args:
            follow: lets the pipeline `images` process its inputs as they are, and waits for it.
            cut: makes a new dataset; called if there is one that holds the patient.
        """
        for repo in INPUTS:
            self._eraser.erase(repo, [self._pattern])
        follow()
        for repo in BY_PATIENT:
            self._eraser.erase(repo, [self._pattern])
        self._erase_records()
        shared = list(self._shared())
        self._rewrite_heads()
        uncut = ""
        if any(one.repo == DATASET for one in shared):
            try:
                cut()
            except (NotFound, Refused) as error:  # Of the last patient, nothing is left to cut.
                uncut = str(error)
        for one in shared:
            self._eraser.erase(one.repo, [one.path], hashes=[one.hash])
            if one.repo == DATASET:  # The runner keeps each datum's output beside its record.
                copies = [f"{datum_meta.OUTPUTS}/*/out{one.path}"]
                self._eraser.erase(DATASET, copies, kind=META, hashes=[one.hash])
        return Erased(freed=self._eraser.collect(), uncut=uncut)

    def _erase_records(self) -> None:
        """Take the datums of the patient's files out of the meta repo of `images`."""
        named = f"/{self._unit}/"
        told = self._eraser.erase(IMAGES, NAMING, kind=META, holding=named)
        datums = {datum_meta.datum_of(p) for p in told if p.startswith(datum_meta.FOLDER)}
        folders = (datum_meta.OUTPUTS, datum_meta.LOGS)
        if outputs := [f"{folder}/{datum}/**" for datum in datums for folder in folders]:
            self._eraser.erase(IMAGES, outputs, kind=META)

    @property
    def _pattern(self) -> str:
        return f"{DATA}/*/{self._unit}/*"

    def _shared(self) -> Iterator[Shared]:
        """Yield every content, of any commit, that holds the patient among others."""
        for repo, pattern, without in self._kinds():
            for one in self._eraser.find(repo, [pattern]):
                if without(self._store.read(repo, one.path, one.commit)) is not None:
                    yield Shared(repo, one.path, one.hash)

    def _kinds(self) -> tuple[tuple[str, str, Rewrite], ...]:
        return (
            (LABELS, "/*.csv", self._table),
            (LABELS, WHO, self._table),
            (EXPERIMENTS, "/*/experiment.json", self._experiment),
            (DATASET, f"{SHARDS}/*.npz", self._shard),
            (DATASET, f"/{REPORT}", self._report),
            (DATASET, TOLD, self._splits),
        )

    def _rewrite_heads(self) -> None:
        """Write the newest tables and experiments anew."""
        for repo, _, without in self._kinds():
            if repo == DATASET or self._store.head(repo) is None:  # A cut writes that.
                continue
            changed = {
                path: made
                for path, data in self._store.fetch(repo)
                if not path.startswith(DATA) and (made := without(data)) is not None
            }
            if changed:
                self._store.write(repo, changed)

    def _table(self, data: bytes) -> bytes | None:
        rows = list(csv.reader(io.StringIO(data.decode())))
        kept = [row for row in rows if self._unit not in row[:2]]
        if len(kept) == len(rows):
            return None
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(kept)
        return text.getvalue().encode()

    def _experiment(self, data: bytes) -> bytes | None:
        told: dict[str, Any] = msgspec.json.decode(data)
        units: dict[str, list[str]] = told["training_units"]
        if not any(self._unit in listed for listed in units.values()):
            return None
        told["training_units"] = {
            version: [unit for unit in listed if unit != self._unit]
            for version, listed in units.items()
        }
        return msgspec.json.encode(told)

    def _shard(self, data: bytes) -> bytes | None:
        with np.load(io.BytesIO(data)) as part:
            return b"" if self._unit in part["unit"] else None

    def _report(self, data: bytes) -> bytes | None:
        return b"" if f"/{self._unit}/".encode() in data else None

    def _splits(self, data: bytes) -> bytes | None:
        return b"" if self._unit in msgspec.json.decode(data) else None

    def _versions(self) -> Iterator[int]:
        for version, record in releases.records(self._store).items():
            if self._unit in releases.card(self._store, record).training_units:
                yield version
