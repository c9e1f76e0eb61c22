"""Forgetting a patient: what is kept of one, and taking it out of every repo and its history.

Files of one patient leave all commits. Files that hold many patients (tables, shards) are written
anew without this one, and their older contents leave too. Commits keep their ids: lineage of others
stays whole. What a model learnt stays in it: such versions are named, to be trained anew.
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
from chexnet.adapters.pachyderm.erasing import Eraser
from chexnet.data.dataset import SHARDS
from chexnet.data.places import BULK, DATA, IMAGES, LABELS, RAW
from chexnet.experiments.observed import FEEDBACK, PREDICTIONS
from chexnet.experiments.registered import REPO as EXPERIMENTS
from chexnet.steps.ports import Store

DATASET, META = "dataset", "meta"
BY_PATIENT = (RAW, BULK, IMAGES, PREDICTIONS, FEEDBACK)  # Their files lie below the unit.
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
    """

    def __init__(self, store: Store, eraser: Eraser, unit: str) -> None:
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

    def erase(self, cut: Callable[[], object]) -> int:
        """Take the patient out of everything; return how many bytes were freed on the disk.

        Args:
            cut: makes a new dataset; called if there is one that holds the patient.
        """
        shared = list(self._shared())
        for repo in BY_PATIENT:
            self._eraser.erase(repo, [self._pattern])
        outputs = self._eraser.erase(IMAGES, [f"/pfs/*/out{self._pattern}"], kind=META)
        for datum in {path.split("/")[2] for path in outputs}:
            self._eraser.erase(IMAGES, [f"/meta/{datum}/*", f"/logs/{datum}/*"], kind=META)
        self._rewrite_heads()
        if any(one.repo == DATASET for one in shared):
            cut()
        for one in shared:
            self._eraser.erase(one.repo, [one.path], hashes=[one.hash])
            if one.repo == DATASET:  # The runner keeps each datum's output beside its record.
                copies = [f"/pfs/*/out{one.path}"]
                self._eraser.erase(DATASET, copies, kind=META, hashes=[one.hash])
        return self._eraser.collect()

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
            (EXPERIMENTS, "/*/experiment.json", self._experiment),
            (DATASET, f"{SHARDS}/*.npz", self._shard),
        )

    def _rewrite_heads(self) -> None:
        """Write the newest tables and experiments anew."""
        for repo, _, without in self._kinds()[:-1]:
            if self._store.head(repo) is None:
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

    def _versions(self) -> Iterator[int]:
        for version, record in releases.records(self._store).items():
            if self._unit in releases.card(self._store, record).training_units:
                yield version
