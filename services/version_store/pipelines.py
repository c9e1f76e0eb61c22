"""Pipelines: a spec, an output repo of the same name, and a meta and a spec repo beside it.

The output branch has the inputs' branches and the spec's in its provenance: so each commit to one
of them starts an output commit, and with it a job.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

import betterproto
from pachyderm_sdk.api import pfs, pps

from services.version_store import branches, commits, cron, inputs, jobs, references, repos, specs
from services.version_store.database import Sql
from services.version_store.errors import StoreError, exists, unimplemented
from services.version_store.references import Row
from services.version_store.store import Change, moment

TRIES = 3  # pachd's default of datum_tries.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_ELSEWHERE = ("tf_job", "egress", "service", "spout", "determined", "spec_commit")
# What a pipeline keeps of its request as it is.
_KEPT = (
    *("transform", "parallelism_spec", "input", "output_branch", "description", "salt"),
    *("resource_requests", "resource_limits", "sidecar_resource_requests"),
    *("sidecar_resource_limits", "datum_set_spec", "datum_timeout", "job_timeout", "datum_tries"),
    *("scheduling_spec", "pod_spec", "pod_patch", "metadata", "reprocess_spec", "autoscaling"),
    *("tolerations", "maximum_expected_uptime"),
)


def create(change: Change, request: pps.CreatePipelineRequest) -> None:
    """Make a pipeline, or with `update` its next version; both start an output commit and a job."""
    sql, named = change.sql, request.pipeline
    _check(request)
    named.project.name = references.project(sql, named.project.name)
    old = specs.newest(sql, named)
    if old is not None and not request.update:
        raise exists(f'pipeline "{specs.name_of(named)}" already exists')
    before = specs.info(old) if old is not None else None
    made = _new(change, request, before)
    for branch in inputs.branches(made.details.input):
        _make_sure(change, branch, made)
    if before is None:
        _make_repos(change, named)
    spec = pfs.Branch(repo=_repo(named, "spec"), name="master")
    made.spec_commit = branches.start_commit(change, pfs.StartCommitRequest(branch=spec))
    commits.finish(change, references.commit(sql, made.spec_commit)["key"])
    row = (named.project.name, named.name, made.version, made.details.output_branch, bytes(made))
    sql.execute(
        "INSERT INTO pipelines (project, name, version, output_branch, info)"
        " VALUES (?, ?, ?, ?, ?)",
        row,
    )
    jobs.stop_all(change, named, "all jobs killed because pipeline was updated")
    _wire(change, made)
    change.schedule = True


def _check(request: pps.CreatePipelineRequest) -> None:
    name = request.pipeline.name
    if not name:
        raise StoreError("invalid pipeline spec: request.Pipeline.Name cannot be empty")
    if not _NAME.fullmatch(name):
        raise StoreError(
            f"pipeline name ({name}) invalid: only alphanumeric characters, underscores, and "
            "dashes are allowed, at most 63, the first alphanumeric"
        )
    for field in _ELSEWHERE:
        if betterproto.serialized_on_wire(getattr(request, field)):
            raise unimplemented(f"A pipeline's {field}")
    if request.s3_out:
        raise unimplemented("A pipeline's s3_out")
    if not betterproto.serialized_on_wire(request.transform):
        raise StoreError("pipeline must specify a transform")
    if not betterproto.serialized_on_wire(request.input):
        raise StoreError("no input set")


def _new(
    change: Change, request: pps.CreatePipelineRequest, before: pps.PipelineInfo | None
) -> pps.PipelineInfo:
    inputs.complete(request.input, request.pipeline)
    cron.check(request.input, moment(change.now))
    request.output_branch = request.output_branch or "master"
    request.datum_tries = request.datum_tries or TRIES
    request.reprocess_spec = request.reprocess_spec or "until_success"
    if before is not None and not request.reprocess:
        request.salt = before.details.salt
    elif not request.salt or request.reprocess:
        request.salt = uuid.uuid4().hex
    made = pps.PipelineInfo(
        pipeline=request.pipeline,
        version=before.version + 1 if before else 1,
        stopped=before.stopped if before else False,
        state=pps.PipelineState.PIPELINE_STARTING,
        parallelism=request.parallelism_spec.constant or 1,
        type=pps.PipelineInfoPipelineType.PIPELINE_TYPE_TRANSFORM,
        details=pps.PipelineInfoDetails(
            created_at=before.details.created_at if before else moment(change.now),
            updated_at=moment(change.now),
        ),
    )
    for field in _KEPT:
        setattr(made.details, field, getattr(request, field))
    return made


def _make_sure(change: Change, branch: pfs.Branch, made: pps.PipelineInfo) -> None:
    """Refuse an input whose repo is not there; a cron input's is made."""
    if any(each.cron.repo == branch.repo.name for each in inputs.visit(made.details.input)):
        if references.try_repo(change.sql, branch.repo) is None:
            about = f"Cron tick repo for pipeline {specs.name_of(made.pipeline)}."
            repos.create(change, pfs.CreateRepoRequest(repo=branch.repo, description=about))
        return
    references.repo(change.sql, branch.repo)


def _make_repos(change: Change, named: pps.Pipeline) -> None:
    if references.try_repo(change.sql, _repo(named, "user")) is not None:
        raise StoreError(
            f'pipeline "{named.name}" cannot be created because a repo with the same name already '
            "exists"
        )
    for kind, what in (("user", "Output"), ("spec", "Spec"), ("meta", "Meta")):
        about = f"{what} repo for pipeline {specs.name_of(named)}."
        repos.create(change, pfs.CreateRepoRequest(repo=_repo(named, kind), description=about))


def _repo(named: pps.Pipeline, kind: str) -> pfs.Repo:
    return pfs.Repo(name=named.name, type=kind, project=named.project)


def _wire(change: Change, made: pps.PipelineInfo) -> None:
    """Give output and meta branch their provenance; a stopped pipeline's have none."""
    spec = pfs.Branch(repo=_repo(made.pipeline, "spec"), name="master")
    upstream = [] if made.stopped else [*inputs.branches(made.details.input), spec]
    for kind in ("user", "meta"):
        branch = pfs.Branch(repo=_repo(made.pipeline, kind), name=made.details.output_branch)
        branches.create(change, pfs.CreateBranchRequest(branch=branch, provenance=upstream))


def _told(sql: Sql, row: Row, *, details: bool) -> pps.PipelineInfo:
    made = specs.info(row)
    last = sql.execute(
        "SELECT info FROM jobs WHERE project = ? AND pipeline = ? ORDER BY key DESC LIMIT 1",
        (row["project"], row["name"]),
    ).fetchone()
    if last is not None:
        made.last_job_state = pps.JobInfo().parse(last["info"]).state
    if not details:
        made.details = pps.PipelineInfoDetails()
    return made


def inspect(sql: Sql, request: pps.InspectPipelineRequest) -> pps.PipelineInfo:
    """Return a pipeline."""
    return _told(sql, specs.get(sql, request.pipeline), details=request.details)


def every(sql: Sql, request: pps.ListPipelineRequest) -> Iterator[pps.PipelineInfo]:
    """Yield pipelines, the newest first; with `history`, that many older versions of each."""
    if request.jq_filter:
        raise unimplemented("A jqFilter")
    projects = {project.name for project in request.projects}
    rows = sql.execute("SELECT * FROM pipelines ORDER BY key DESC").fetchall()
    for row in rows:
        named = request.pipeline
        if named.name and (row["project"], row["name"]) != (
            named.project.name or "default",
            named.name,
        ):
            continue
        if projects and row["project"] not in projects:
            continue
        older = specs.newest_version(sql, row["project"], row["name"]) - row["version"]
        if request.history < 0 or older <= request.history:
            yield _told(sql, row, details=request.details)


def start(change: Change, request: pps.StartPipelineRequest) -> None:
    """Let a stopped pipeline go on: with an output commit if its inputs have changed."""
    _stopped(change, request.pipeline, stopped=False)


def stop(change: Change, request: pps.StopPipelineRequest) -> None:
    """Stop a pipeline: its open jobs are killed, and new commits upstream start none."""
    if specs.newest(change.sql, request.pipeline) is None and not request.must_exist:
        return
    _stopped(change, request.pipeline, stopped=True)
    jobs.stop_all(change, request.pipeline, "all jobs killed because pipeline was stopped")


def _stopped(change: Change, named: pps.Pipeline, *, stopped: bool) -> None:
    row = specs.get(change.sql, named)
    made = specs.info(row)
    made.stopped = stopped
    query = "UPDATE pipelines SET info = ? WHERE key = ?"
    change.sql.execute(query, (bytes(made), row["key"]))
    _wire(change, made)
    change.schedule = True


def delete(change: Change, request: pps.DeletePipelineRequest) -> None:
    """Delete a pipeline with its jobs and repos; with `keep_repo` the output stays."""
    sql, named = change.sql, request.pipeline
    row = specs.newest(sql, named)
    if row is None:
        if request.must_exist:
            specs.get(sql, named)
        return
    made = specs.info(row)
    jobs.delete_all(change, made.pipeline)
    query = "DELETE FROM pipelines WHERE project = ? AND name = ?"
    sql.execute(query, (row["project"], row["name"]))
    made.stopped = True
    _wire(change, made)
    kinds = ("spec", "meta") if request.keep_repo else ("user", "spec", "meta")
    gone = [references.try_repo(sql, _repo(made.pipeline, kind)) for kind in kinds]
    for ticks in (each.cron for each in inputs.visit(made.details.input) if each.cron.repo):
        owner = pfs.Repo(name=ticks.repo, type="user", project=pfs.Project(name=ticks.project))
        gone.append(references.try_repo(sql, owner))
    change.schedule = True
    repos.delete_all(change, [repo for repo in gone if repo is not None], force=request.force)


def delete_many(change: Change, request: pps.DeletePipelinesRequest) -> pps.DeletePipelinesResponse:
    """Delete the pipelines of some projects, or with `all` of every one; downstream ones first."""
    wanted = pps.ListPipelineRequest(projects=request.projects, details=True)
    found = list(every(change.sql, wanted)) if request.projects or request.all else []
    found = _downstream_first(found)
    for each in found:
        asked = pps.DeletePipelineRequest(
            pipeline=each.pipeline, force=request.force, keep_repo=request.keep_repo
        )
        delete(change, asked)
    return pps.DeletePipelinesResponse(pipelines=[each.pipeline for each in found])


def _downstream_first(found: list[pps.PipelineInfo]) -> list[pps.PipelineInfo]:
    """Return pipelines so that none comes before one that reads it, whichever is newer."""
    left, ordered = list(found), []
    while left:
        read = {(b.repo.project.name, b.repo.name) for i in left for b in _reads(i)}
        ends = [i for i in left if (i.pipeline.project.name, i.pipeline.name) not in read]
        ordered += ends
        left = [info for info in left if info not in ends]
    return ordered


def _reads(info: pps.PipelineInfo) -> list[pfs.Branch]:
    return inputs.branches(info.details.input)


def rerun(change: Change, request: pps.RerunPipelineRequest) -> None:
    """Start a job on the inputs as they are; with `reprocess`, all datums are processed again."""
    before = specs.info(specs.get(change.sql, request.pipeline))
    again = pps.CreatePipelineRequest(
        pipeline=before.pipeline, update=True, reprocess=request.reprocess
    )
    for field in _KEPT:
        setattr(again, field, getattr(before.details, field))
    create(change, again)
