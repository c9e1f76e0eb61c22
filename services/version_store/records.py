"""What became of a job's datums: read from its meta commit, where the worker has put it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import msgspec
from msgspec import Struct
from pachyderm_sdk.api import pfs, pps

from services.version_store import jobs
from services.version_store.blobs import Blobs
from services.version_store.database import Sql
from services.version_store.errors import StoreError, missing
from services.version_store.listing import View

META, OUTPUTS = "/meta", "/pfs"
_STATES = {
    "success": pps.DatumState.SUCCESS,
    "failed": pps.DatumState.FAILED,
    "recovered": pps.DatumState.RECOVERED,
}


class _Input(Struct):
    repo: str
    commit: str
    path: str


class _Record(Struct):
    """What services/pipeline_runner keeps of a datum, in `/meta/<id>/meta`."""

    id: str
    job: str
    state: str
    inputs: list[_Input]


def every(sql: Sql, blobs: Blobs, request: pps.ListDatumRequest) -> Iterator[pps.DatumInfo]:
    """Yield the datums of a job, by id; those that an earlier job has done are SKIPPED."""
    wanted = {pps.DatumState(state) for state in request.filter.state}
    found = (_info(record, request.job) for record in _records(sql, blobs, request.job, "*"))
    infos = [info for info in found if not wanted or info.state in wanted]
    infos.sort(key=lambda info: info.datum.id, reverse=request.reverse)
    if marker := request.pagination_marker:
        ids = [info.datum.id for info in infos]
        infos = infos[ids.index(marker) + 1 if marker in ids else 0 :]
    yield from islice(infos, request.number or None)


def inspect(sql: Sql, blobs: Blobs, request: pps.InspectDatumRequest) -> pps.DatumInfo:
    """Return one datum of a job; raise NOT_FOUND."""
    datum = request.datum
    if not datum.id:
        raise StoreError("datum must be specified")
    for record in _records(sql, blobs, datum.job, datum.id):
        return _info(record, datum.job)
    raise missing(f"datum {datum.id} not found in job {datum.job.id}")


def _records(sql: Sql, blobs: Blobs, job: pps.Job, which: str) -> Iterator[_Record]:
    view = View(sql, jobs.meta_commit(sql, job))
    for node in view.glob(f"{META}/{which}/meta"):
        data = b"".join(blobs.stream(sql, node.chunks or b""))
        yield msgspec.json.decode(data, type=_Record)


def _info(record: _Record, job: pps.Job) -> pps.DatumInfo:
    state = _STATES.get(record.state, pps.DatumState.UNKNOWN)
    meta = pfs.Repo(name=job.pipeline.name, type="meta", project=job.pipeline.project)
    return pps.DatumInfo(
        datum=pps.Datum(job=job, id=record.id),
        state=state if record.job == job.id else pps.DatumState.SKIPPED,
        pfs_state=pfs.File(commit=pfs.Commit(repo=meta, id=job.id), path=f"{OUTPUTS}/{record.id}"),
        data=[pfs.FileInfo(file=_file(part, job)) for part in record.inputs],
    )


def _file(part: _Input, job: pps.Job) -> pfs.File:
    repo = pfs.Repo(name=part.repo, type="user", project=job.pipeline.project)
    return pfs.File(commit=pfs.Commit(repo=repo, id=part.commit), path=part.path)
