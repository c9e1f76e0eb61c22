"""Jobs: one for each commit on a pipeline's output branch, of the same id.

A job's work is done elsewhere: a worker reports its state, and finishes its output and meta commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from pachyderm_sdk.api import pfs, pps

from services.version_store import commits, inputs, names, references, specs
from services.version_store.database import Database, Sql
from services.version_store.errors import StoreError, missing, unimplemented
from services.version_store.references import Row
from services.version_store.store import Change, moment

State: TypeAlias = pps.JobState
LAST = (State.JOB_FAILURE, State.JOB_SUCCESS, State.JOB_KILLED, State.JOB_UNRUNNABLE)
_COUNTS = ("processed", "skipped", "failed", "recovered", "total")
GoingOn = Callable[[], bool]


def propagate(change: Change) -> None:
    """Make the jobs of the output commits that this change has started."""
    rows = change.sql.execute(
        "SELECT c.key, c.branch, r.project, r.name, MAX(p.version) AS version, p.output_branch"
        " FROM commits c JOIN repos r ON r.key = c.repo AND r.type = 'user'"
        " JOIN pipelines p ON p.project = r.project AND p.name = r.name"
        " WHERE c.id = ? AND c.finishing IS NULL GROUP BY c.key ORDER BY c.key",
        (change.id,),
    ).fetchall()
    for row in rows:
        job = _job(row["project"], row["name"], change.id)
        if row["branch"] != row["output_branch"] or _find(change.sql, job) is not None:
            continue
        info = pps.JobInfo(
            job=job,
            pipeline_version=row["version"],
            output_commit=references.name_of_commit(change.sql, row["key"]),
            state=State.JOB_CREATED,
            created=moment(change.now),
        )
        change.sql.execute(
            "INSERT INTO jobs (project, pipeline, id, version, over, info)"
            " VALUES (?, ?, ?, ?, 0, ?)",
            (row["project"], row["name"], change.id, row["version"], bytes(info)),
        )


def _job(project: str, pipeline: str, name: str) -> pps.Job:
    owner = pps.Pipeline(project=pfs.Project(name=project), name=pipeline)
    return pps.Job(pipeline=owner, id=name)


def _find(sql: Sql, job: pps.Job) -> Row | None:
    row: Row | None = sql.execute(
        "SELECT * FROM jobs WHERE project = ? AND pipeline = ? AND id = ?",
        (job.pipeline.project.name or "default", job.pipeline.name, job.id),
    ).fetchone()
    return row


def _get(sql: Sql, job: pps.Job) -> Row:
    if (row := _find(sql, job)) is None:
        raise missing(f"job {_name(job)} not found")
    return row


def _name(job: pps.Job) -> str:
    return f"{job.pipeline.project.name or 'default'}/{job.pipeline.name}@{job.id}"


def info(sql: Sql, row: Row, *, details: bool) -> pps.JobInfo:
    """Return what the API says of a job; its details are of the pipeline as it was then."""
    made: pps.JobInfo = pps.JobInfo().parse(row["info"])
    if details:
        made.details = _details(sql, made)
    return made


def _details(sql: Sql, job: pps.JobInfo) -> pps.JobInfoDetails:
    own = specs.at_version(sql, job.job.pipeline, job.pipeline_version).details
    return pps.JobInfoDetails(
        transform=own.transform,
        parallelism_spec=own.parallelism_spec,
        resource_requests=own.resource_requests,
        resource_limits=own.resource_limits,
        input=inputs.at(own.input, job.output_commit.id),
        salt=own.salt,
        datum_set_spec=own.datum_set_spec,
        datum_timeout=own.datum_timeout,
        job_timeout=own.job_timeout,
        datum_tries=own.datum_tries,
        scheduling_spec=own.scheduling_spec,
        pod_spec=own.pod_spec,
        pod_patch=own.pod_patch,
    )


def update(change: Change, request: pps.UpdateJobStateRequest) -> None:
    """Take a worker's report; a job that is over takes none."""
    row = _get(change.sql, request.job)
    job = info(change.sql, row, details=False)
    if row["over"]:
        raise StoreError(f"job {_name(job.job)} has already finished")
    job.restart = request.restart
    for count in _COUNTS:
        setattr(job, f"data_{count}", getattr(request, f"data_{count}"))
    job.stats = request.stats
    _put(change, row, job, State(request.state), request.reason)


def _put(change: Change, row: Row, job: pps.JobInfo, state: State, reason: str) -> None:
    """Set a job's state, with its times as pachd sets them."""
    if job.state == State.JOB_STARTING and state == State.JOB_RUNNING:
        job.started = moment(change.now)
    elif state in LAST:
        if job.started.year <= 1970:
            job.started = moment(change.now)
        job.finished = moment(change.now)
    job.state, job.reason = state, reason
    change.sql.execute(
        "UPDATE jobs SET over = ?, info = ? WHERE key = ?",
        (int(state in LAST), bytes(job), row["key"]),
    )


def stop(change: Change, request: pps.StopJobRequest) -> None:
    """Kill a job: both its commits finish with the reason as their error."""
    row = _get(change.sql, request.job)
    _kill(change, row, request.reason or "job stopped")


def stop_all(change: Change, pipeline: pps.Pipeline, reason: str) -> None:
    """Kill a pipeline's open jobs, the oldest first."""
    for row in _rows(change.sql, pipeline, "AND over = 0"):
        _kill(change, row, reason)


def _kill(change: Change, row: Row, reason: str) -> None:
    job = info(change.sql, row, details=False)
    for kind in ("meta", "user"):
        repo = pfs.Repo(name=row["pipeline"], type=kind, project=job.job.pipeline.project)
        owner = references.try_repo(change.sql, repo)
        query = "SELECT key, finishing FROM commits WHERE repo = ? AND id = ?"
        commit = owner and change.sql.execute(query, (owner["key"], row["id"])).fetchone()
        if commit and commit["finishing"] is None:
            commits.finish(change, commit["key"], error=reason)
    if not row["over"]:
        _put(change, row, job, State.JOB_KILLED, reason)


def delete(change: Change, request: pps.DeleteJobRequest) -> None:
    """Kill a job and forget it; its commits stay."""
    row = _get(change.sql, request.job)
    _kill(change, row, "job deleted")
    change.sql.execute("DELETE FROM jobs WHERE key = ?", (row["key"],))


def delete_all(change: Change, pipeline: pps.Pipeline) -> None:
    """Kill and forget a pipeline's jobs."""
    stop_all(change, pipeline, "pipeline deleted")
    query = "DELETE FROM jobs WHERE project = ? AND pipeline = ?"
    change.sql.execute(query, (pipeline.project.name, pipeline.name))


def is_over(sql: Sql, job: pps.Job) -> bool:
    """Say whether a job's state is its last; raise NOT_FOUND."""
    return bool(_get(sql, job)["over"])


def newest(sql: Sql, pipeline: pps.Pipeline) -> pps.Job:
    """Return the newest job of a pipeline; raise NOT_FOUND if there is none."""
    for row in _rows(sql, pipeline, "ORDER BY key DESC LIMIT 1"):
        return _job(row["project"], row["pipeline"], row["id"])
    raise missing(f"pipeline {pipeline.name} has had no job")


def meta_commit(sql: Sql, job: pps.Job) -> pfs.Commit:
    """Return the meta commit of a job that is there; raise NOT_FOUND."""
    row = _get(sql, job)
    project = pfs.Project(name=row["project"])
    return pfs.Commit(repo=pfs.Repo(name=row["pipeline"], type="meta", project=project), id=job.id)


def inspect(database: Database, request: pps.InspectJobRequest, going_on: GoingOn) -> pps.JobInfo:
    """Return a job; with `wait`, when it is over."""
    for _ in database.changes(going_on):
        with database.read() as sql:
            row = _get(sql, request.job)
            if row["over"] or not request.wait:
                return info(sql, row, details=request.details)
    raise StoreError(f"nobody waits for job {_name(request.job)} any more")


def every(sql: Sql, request: pps.ListJobRequest) -> Iterator[pps.JobInfo]:
    """Yield jobs, the newest first."""
    projects = {project.name for project in request.projects}
    if request.jq_filter:
        raise unimplemented("A jqFilter")
    made = [_made_from(sql, references.commit(sql, each)["key"]) for each in request.input_commit]
    number = request.number or -1
    order = "ASC" if request.reverse else "DESC"
    for row in _rows(sql, request.pipeline, f"ORDER BY key {order}"):
        if number == 0:
            return
        if projects and row["project"] not in projects:
            continue
        if not all((row["project"], row["pipeline"], row["id"]) in each for each in made):
            continue
        newest = specs.newest_version(sql, row["project"], row["pipeline"])
        if 0 <= request.history < newest - row["version"]:
            continue
        yield info(sql, row, details=request.details)
        number -= 1


def _made_from(sql: Sql, commit: int) -> set[tuple[str, str, str]]:
    """Return project, pipeline and id of the jobs whose output was made from a commit."""
    rows = sql.execute(
        "WITH RECURSIVE reached(key) AS (SELECT ? UNION SELECT p.downstream FROM reached r"
        " JOIN commit_provenance p ON p.upstream = r.key) SELECT o.project, o.name, c.id"
        " FROM reached r JOIN commits c ON c.key = r.key JOIN repos o ON o.key = c.repo"
        " WHERE o.type = 'user'",
        (commit,),
    )
    return {tuple(row) for row in rows}


def _rows(sql: Sql, pipeline: pps.Pipeline, more: str) -> list[Row]:
    where = "project = :project AND pipeline = :name" if pipeline.name else "1"
    named = {"project": pipeline.project.name or "default", "name": pipeline.name}
    return sql.execute(f"SELECT * FROM jobs WHERE {where} {more}", named).fetchall()


def of_set(sql: Sql, name: str) -> list[Row]:
    """Return the jobs of one id, upstream ones first; or raise NOT_FOUND."""
    rows = sql.execute("SELECT * FROM jobs WHERE id = ? ORDER BY key", (name,)).fetchall()
    if not rows:
        raise missing(f"no commits found for commitset {name}")
    return rows


def inspect_set(
    database: Database, request: pps.InspectJobSetRequest, going_on: GoingOn
) -> Iterator[pps.JobInfo]:
    """Yield the jobs of one id, upstream ones first; with `wait`, each when it is over."""
    with database.read() as sql:
        found = [info(sql, row, details=False).job for row in of_set(sql, request.job_set.id)]
    for job in found:
        each = pps.InspectJobRequest(job=job, wait=request.wait, details=request.details)
        yield inspect(database, each, going_on)


def every_set(sql: Sql, request: pps.ListJobSetRequest) -> Iterator[pps.JobSetInfo]:
    """Yield the sets of jobs, the newest first."""
    projects = {project.name for project in request.projects}
    query = "SELECT id FROM jobs GROUP BY id ORDER BY MAX(key) DESC"
    for (name,) in sql.execute(query).fetchall():
        rows = [row for row in of_set(sql, name) if not projects or row["project"] in projects]
        if rows:
            made = [info(sql, row, details=request.details) for row in rows]
            yield pps.JobSetInfo(job_set=pps.JobSet(id=name), jobs=made)


def subscribe(
    database: Database, request: pps.SubscribeJobRequest, going_on: GoingOn
) -> Iterator[pps.JobInfo]:
    """Yield a pipeline's open jobs, the oldest first, and then each new one."""
    if not request.pipeline.name:
        raise StoreError("pipeline must be specified")
    names.check("pipeline", request.pipeline.name)
    last = 0
    for _ in database.changes(going_on):
        with database.read() as sql:
            rows = _rows(sql, request.pipeline, f"AND over = 0 AND key > {last} ORDER BY key")
            found = [info(sql, row, details=request.details) for row in rows]
        yield from found
        last = rows[-1]["key"] if rows else last
