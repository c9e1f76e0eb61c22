"""What became of a job's datums: read from its meta commit, where the worker has put it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from pachyderm_sdk.api import pfs, pps

from chexnet.adapters.pachyderm import datum_meta
from chexnet.adapters.pachyderm.datum_meta import Meta
from services.version_store import jobs
from services.version_store.blobs import Blobs
from services.version_store.database import Sql
from services.version_store.errors import StoreError, missing
from services.version_store.listing import View

_STATES = {
    "PROCESSED": pps.DatumState.SUCCESS,
    "FAILED": pps.DatumState.FAILED,
    "RECOVERED": pps.DatumState.RECOVERED,
}


def every(sql: Sql, blobs: Blobs, request: pps.ListDatumRequest) -> Iterator[pps.DatumInfo]:
    """Yield the datums of a job, by id; those that an earlier job has done are SKIPPED."""
    wanted = {pps.DatumState(state) for state in request.filter.state}
    found = (_info(*each, request.job) for each in _metas(sql, blobs, request.job, "*"))
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
    for id_, meta in _metas(sql, blobs, datum.job, datum.id):
        return _info(id_, meta, datum.job)
    raise missing(f"datum {datum.id} not found in job {datum.job.id}")


def _metas(sql: Sql, blobs: Blobs, job: pps.Job, which: str) -> Iterator[tuple[str, Meta]]:
    """Yield the ids of a job's datums, with what its meta commit has of them."""
    view = View(sql, jobs.meta_commit(sql, job))
    for node in view.glob(datum_meta.path(which)):
        data = b"".join(blobs.stream(sql, node.chunks or b""))
        yield datum_meta.datum_of(node.path), datum_meta.decode(data)


def _info(id_: str, meta: Meta, job: pps.Job) -> pps.DatumInfo:
    owner = pfs.Repo(name=job.pipeline.name, type="meta", project=job.pipeline.project)
    return pps.DatumInfo(
        datum=pps.Datum(job=job, id=id_),
        state=_STATES[meta.state] if meta.job.id == job.id else pps.DatumState.SKIPPED,
        pfs_state=pfs.File(
            commit=pfs.Commit(repo=owner, id=job.id), path=f"{datum_meta.OUTPUTS}/{id_}"
        ),
        data=[pfs.FileInfo(file=_file(part.file_info.file)) for part in meta.inputs],
    )


def _file(file: datum_meta.File) -> pfs.File:
    named = file.commit.repo
    repo = pfs.Repo(name=named.name, type=named.type, project=pfs.Project(name=named.project.name))
    return pfs.File(commit=pfs.Commit(repo=repo, id=file.commit.id), path=file.path)
