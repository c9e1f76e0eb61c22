"""What a pipeline's meta repo holds: each datum's record, its output and its log.

Beside the record lies what pachd reads of it (`datum_meta`), which has less.

A datum's record and output are written in one stream, so there is never one without the other.
`/pending` says what the output commit still lacks; a job that ends well takes it over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct
from pachyderm_sdk.api import pps

from chexnet.adapters.pachyderm import datum_meta
from chexnet.adapters.pachyderm.datum_meta import OUTPUTS, RECORDS

State = Literal["success", "recovered", "failed"]
_STATES: dict[State, datum_meta.State] = {
    "success": "PROCESSED",
    "recovered": "RECOVERED",
    "failed": "FAILED",
}


class Input(Struct, frozen=True):
    """One file or directory that a datum was made of."""

    name: str
    repo: str
    commit: str
    path: str
    branch: str = ""


class Record(Struct, frozen=True, kw_only=True):
    """What became of a datum, in `/records/<id>`."""

    id: str
    hash: str
    state: State
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...] = ()  # Paths in the output repo.
    job: str
    reason: str = ""
    tries: int = 1
    seconds: float = 0.0

    @property
    def path(self) -> str:
        """Where it lies."""
        return f"{RECORDS}/{self.id}"

    def source(self, output: str) -> str:
        """Return where one of its outputs lies in the meta repo."""
        return f"{OUTPUTS}/{self.id}/out{output}"


class Change(Struct, frozen=True, kw_only=True):
    """What one datum changes in the output: paths that leave, and paths that come from it."""

    datum: str
    remove: tuple[str, ...] = ()
    copy: tuple[str, ...] = ()


class Outcome(Struct, frozen=True, kw_only=True):
    """A datum's record, and where its output lies on this machine."""

    record: Record
    folder: Path | None = None

    @property
    def files(self) -> Mapping[str, Path]:
        """Output path → file."""
        return {path: (self.folder or Path()) / path[1:] for path in self.record.outputs}


def parse(data: bytes) -> Record:
    """Return the record that a file holds."""
    return msgspec.json.decode(data, type=Record)


def parse_changes(data: bytes) -> list[Change]:
    """Return the changes that a pending file holds."""
    return msgspec.json.decode(data, type=list[Change])


def encode(value: Record | Sequence[Change]) -> bytes:
    """Return either as JSON."""
    return msgspec.json.encode(value)


def published(record: Record, pipeline: pps.Pipeline) -> bytes:
    """Return what pachd reads of a record."""
    project = datum_meta.Named(pipeline.project.name)

    def told(part: Input) -> datum_meta.Input:
        commit = datum_meta.Commit(part.commit, datum_meta.Repo(part.repo, "user", project))
        info = datum_meta.FileInfo(datum_meta.File(commit, part.path))
        return datum_meta.Input(info, part.name, part.branch)

    return datum_meta.Meta(
        job=datum_meta.Job(record.job, datum_meta.Pipeline(pipeline.name, project)),
        inputs=tuple(map(told, record.inputs)),
        hash=record.hash,
        state=_STATES[record.state],
        reason=record.reason,
        stats=datum_meta.Stats(f"{record.seconds:.4f}s"),
    ).encode()


def merged(changes: Iterable[Change], records: Mapping[str, Record]) -> Iterator[Change]:
    """Yield one change for each datum: all that has to leave, and what its record says now."""
    leaving: dict[str, set[str]] = {}
    for change in changes:
        leaving.setdefault(change.datum, set()).update(change.remove)
    for datum, remove in leaving.items():
        record = records.get(datum)
        copy = record.outputs if record is not None and record.state == "success" else ()
        yield Change(datum=datum, remove=tuple(sorted(remove - set(copy))), copy=copy)


def collision(records: Iterable[Record]) -> tuple[str, Record, Record] | None:
    """Return a path that two datums wrote, and both; None if there is none."""
    owners: dict[str, Record] = {}
    for record in records:
        for path in record.outputs:
            if owners.setdefault(path, record) is not record:
                return path, owners[path], record
    return None
