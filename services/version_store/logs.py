"""Logs: what a job's transforms have written; the worker keeps it in the meta repo."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pachyderm_sdk.api import pps

from services.version_store import jobs
from services.version_store.database import Sql
from services.version_store.errors import StoreError, unimplemented
from services.version_store.listing import View
from services.version_store.store import Store, moment

LOGS = "/logs"  # Below it, a folder for each datum, with a file for each job.


def read(
    store: Store, request: pps.GetLogsRequest, going_on: Callable[[], bool]
) -> Iterator[pps.LogMessage]:
    """Yield the lines of a job's datums, or of one; with `follow`, as they come, to its end.

    Without a job it is the pipeline's newest. `tail` is the number of the last lines that are told
    of those that are there.
    """
    if request.data_filters:
        raise unimplemented("Logs by data_filters")
    if request.since:
        raise unimplemented("Logs by since")
    with store.database.read() as sql:
        job = _job(sql, request)
    done: dict[str, int] = {}
    first = True
    for _ in store.database.changes(going_on):
        with store.database.read() as sql:
            over = jobs.is_over(sql, job)
            lines = list(_new(sql, store, job, request.datum.id, done, to_end=over))
        yield from lines[-request.tail :] if first and request.tail else lines
        first = False
        if over or not request.follow:
            return


def _job(sql: Sql, request: pps.GetLogsRequest) -> pps.Job:
    named = request.datum.job if request.datum.job.id else request.job
    if named.id:
        return named
    if not request.pipeline.name:
        raise StoreError("must set one of pipeline, job or datum")
    return jobs.newest(sql, request.pipeline)


def _new(
    sql: Sql, store: Store, job: pps.Job, datum: str, done: dict[str, int], *, to_end: bool
) -> Iterator[pps.LogMessage]:
    """Yield whole lines that came since `done`; at the end of the job, the rest too."""
    view = View(sql, jobs.meta_commit(sql, job))
    for node in view.glob(f"{LOGS}/{datum or '*'}/{job.id}"):
        name, start = node.path.split("/")[2], done.get(node.path, 0)
        data = b"".join(store.blobs.stream(sql, node.chunks or b"", start))
        whole = len(data) if to_end else data.rfind(b"\n") + 1
        done[node.path] = start + whole
        yield from _messages(job, name, data[:whole].decode(errors="replace").splitlines(), view)


def _messages(
    job: pps.Job, datum: str, lines: Sequence[str], view: View
) -> Iterator[pps.LogMessage]:
    for line in lines:
        yield pps.LogMessage(
            project_name=job.pipeline.project.name,
            pipeline_name=job.pipeline.name,
            job_id=job.id,
            datum_id=datum,
            user=True,
            ts=moment(view.row["finished"] or view.row["started"]),
            message=line,
        )
