"""A job's meta commit, and what it does to the output commit."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TypeAlias, cast

import grpc
from pachyderm_sdk.api import pfs, pps
from pachyderm_sdk.api.pfs.file import PFSFile

from chexnet.adapters.pachyderm import datum_meta
from chexnet.adapters.pachyderm.connection import Connection, code
from chexnet.adapters.pachyderm.datum_meta import LOGS, OUTPUTS, PENDING, RECORDS
from chexnet.adapters.pachyderm.store import CHUNK
from chexnet.adapters.pachyderm.wire import field
from chexnet.messages import new_id
from services.pipeline_runner import records
from services.pipeline_runner.records import Change, Outcome, Record

Request: TypeAlias = bytes  # A ModifyFileRequest on the wire: a datum has six or more.
MODIFY = "/pfs_v2.API/ModifyFile"


class Meta:
    """The meta and the output commit of one job."""

    def __init__(self, at: Connection, job: pps.JobInfo) -> None:
        self._pfs = at.client.pfs
        self._modify = at.client._channel.stream_unary(MODIFY, bytes, bytes)
        self._pipeline = job.job.pipeline
        self.commit = at.commit(self._pipeline.name, job.job.id, "meta")
        self.output = at.commit(self._pipeline.name, job.job.id)

    def records(self) -> dict[str, Record]:
        """Return the records of all datums, by id."""
        found = map(records.parse, self._contents(RECORDS))
        return {record.id: record for record in found}

    def _contents(self, folder: str) -> Iterator[bytes]:
        """Yield the files of a folder; a commit without it has none."""
        stream = self._pfs.get_file_tar(file=pfs.File(commit=self.commit, path=folder))
        try:
            opened = PFSFile(stream)
        except ValueError as error:  # So the SDK wraps an error of the first message.
            cause = error.__cause__
            if isinstance(cause, grpc.RpcError) and code(cause) == grpc.StatusCode.NOT_FOUND:
                return
            raise cause or error from error
        with tarfile.open(fileobj=cast(IO[bytes], opened), mode="r|*") as archive:
            for member in archive:
                if member.isfile() and (content := archive.extractfile(member)):
                    yield content.read()

    def keep(self, outcomes: Iterable[Outcome], before: Mapping[str, Record]) -> None:
        """Write what became of datums, in one stream: records, outputs and what they change.

        Args:
            outcomes: of datums that ran.
            before: the records until now.
        """
        self._modify(kept(self.commit, self._pipeline, list(outcomes), before))

    def leave(self, gone: Sequence[Record]) -> None:
        """Remove the datums that the job no longer has, in one stream."""
        self._modify(left(self.commit, gone))

    def log(self, logs: Mapping[str, bytes], *, fresh: Iterable[str] = ()) -> None:
        """Add to the datums' logs; those of `fresh` begin anew."""

        def stream() -> Iterator[Request]:
            yield _into(self.commit)
            for datum in fresh:
                yield _delete(f"{LOGS}/{datum}/")
            for datum, data in logs.items():
                # By job: a reader must not take the last one's for it.
                yield _add(f"{LOGS}/{datum}/{self.commit.id}", data)

        self._modify(stream())

    def take_over(self, known: Mapping[str, Record]) -> None:
        """Bring the output commit to what the records say; to do it twice changes nothing."""
        found = map(records.parse_changes, self._contents(PENDING))
        pending = [change for changes in found for change in changes]
        if not pending:
            return
        merged = list(records.merged(pending, known))
        self._modify(self._taken(merged, known))
        self._modify(iter((_into(self.commit), _delete(f"{PENDING}/"))))

    def _taken(self, changes: list[Change], known: Mapping[str, Record]) -> Iterator[Request]:
        yield _into(self.output)
        for change in changes:
            for path in change.remove:
                yield _delete(path)
        for change in changes:
            for path in change.copy:
                source = pfs.File(commit=self.commit, path=known[change.datum].source(path))
                copy = pfs.CopyFile(dst=path, src=source, append=False)
                yield bytes(pfs.ModifyFileRequest(copy_file=copy))


def kept(
    commit: pfs.Commit,
    pipeline: pps.Pipeline,
    outcomes: Sequence[Outcome],
    before: Mapping[str, Record],
) -> Iterator[Request]:
    """Yield a stream of which each beginning is harmless: a record comes after what it tells of."""
    yield _into(commit)
    told = [outcome.record for outcome in outcomes]
    yield _pending((record.id, before.get(record.id)) for record in told)
    for record in told:
        if record.id in before:
            yield _delete(f"{OUTPUTS}/{record.id}/")
    for outcome in outcomes:
        record = outcome.record
        for path, file in outcome.files.items():
            yield from _put_file(record.source(path), file)
        yield from _put(datum_meta.path(record.id), records.published(record, pipeline))
        yield from _put(record.path, records.encode(record))


def left(commit: pfs.Commit, gone: Sequence[Record]) -> Iterator[Request]:
    """Yield what removes datums, of which each beginning is harmless too."""
    yield _into(commit)
    yield _pending((record.id, record) for record in gone)
    for record in gone:
        for folder in (OUTPUTS, LOGS):
            yield _delete(f"{folder}/{record.id}/")
        yield _delete(datum_meta.path(record.id))
        yield _delete(record.path)


def _pending(datums: Iterable[tuple[str, Record | None]]) -> Request:
    """Say which datums the output commit has to be brought up to, and what they had written."""
    changes = [Change(datum=name, remove=old.outputs if old else ()) for name, old in datums]
    return _add(f"{PENDING}/{new_id()}", records.encode(changes))


def _into(commit: pfs.Commit) -> Request:
    return bytes(pfs.ModifyFileRequest(set_commit=commit))


def _delete(path: str) -> Request:
    """Delete a file; with a slash at the end, a directory."""
    return field(3, field(1, path.encode()))


def _add(path: str, data: bytes) -> Request:
    return field(2, field(1, path.encode()) + field(3, field(1, data)))


def _put(path: str, data: bytes) -> Iterator[Request]:
    """Replace a file: `_add` appends, as AddFile does."""
    yield _delete(path)
    yield _add(path, data)


def _put_file(path: str, file: Path) -> Iterator[Request]:
    """Replace a file in pieces: a gRPC message may have 20 MiB."""
    with file.open("rb") as opened:
        yield from _put(path, opened.read(CHUNK))
        while data := opened.read(CHUNK):
            yield _add(path, data)
