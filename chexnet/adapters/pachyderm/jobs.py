"""Pipelines, jobs and datums, in this project's own words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct
from pachyderm_sdk.api import pps

from chexnet.adapters.pachyderm import datum_meta, specs


class Pipeline(Struct, frozen=True, kw_only=True):
    """A pipeline as it is now."""

    name: str
    description: str
    version: int
    stopped: bool
    reads: tuple[str, ...]  # repo@branch
    last: str | None  # The state of its newest job.


class Job(Struct, frozen=True, kw_only=True):
    """A pipeline's work on one commit, which has the job's id."""

    pipeline: str
    id: str
    state: str  # created, starting, running, finishing, success, failure, killed, unrunnable …
    reason: str = ""
    created: datetime
    started: datetime | None = None
    finished: datetime | None = None
    total: int = 0
    processed: int = 0
    skipped: int = 0
    failed: int = 0
    recovered: int = 0

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in {"success", "failure", "killed", "unrunnable"}

    @property
    def done(self) -> int:
        """How many datums need no more work."""
        return self.processed + self.skipped + self.failed + self.recovered

    @property
    def seconds(self) -> float:
        """How long the work took; 0 until it is over."""
        if self.started is None or self.finished is None:
            return 0.0
        return (self.finished - self.started).total_seconds()


class LogLine(Struct, frozen=True):
    """A line that a datum's transform has written."""

    datum: str
    text: str


class Datum(Struct, frozen=True, kw_only=True):
    """A unit of a job's work, when it has been done."""

    id: str
    state: str  # success, recovered, failed
    reason: str = ""
    inputs: tuple[str, ...]  # Paths.


def upstream_first(pipelines: Iterable[Pipeline]) -> list[Pipeline]:
    """Return pipelines, the longest way from an end first, so that each precedes its readers."""
    by_name = {pipeline.name: pipeline for pipeline in pipelines}
    readers: dict[str, list[str]] = {name: [] for name in by_name}
    for name, pipeline in by_name.items():
        for read in pipeline.reads:
            readers.setdefault(read.partition("@")[0], []).append(name)

    def height(name: str) -> int:
        return max((height(reader) + 1 for reader in readers[name]), default=0)

    return sorted(by_name.values(), key=lambda pipeline: (-height(pipeline.name), pipeline.name))


def of_pipeline(info: pps.PipelineInfo) -> Pipeline:
    """Return a pipeline as the server tells it."""
    return Pipeline(
        name=info.pipeline.name,
        description=info.details.description,
        version=info.version,
        stopped=info.stopped,
        reads=tuple(f"{each.repo}@{each.branch}" for each in specs.inputs(info.details.input)),
        last=_state(info.last_job_state) if info.last_job_state else None,
    )


def of_job(info: pps.JobInfo) -> Job:
    """Return a job as the server tells it."""
    return Job(
        pipeline=info.job.pipeline.name,
        id=info.job.id,
        state=_state(info.state),
        reason=info.reason,
        created=info.created,
        started=_moment(info.started),
        finished=_moment(info.finished),
        total=info.data_total,
        processed=info.data_processed,
        skipped=info.data_skipped,
        failed=info.data_failed,
        recovered=info.data_recovered,
    )


def _state(state: int) -> str:
    return str(pps.JobState(state).name).removeprefix("JOB_").lower()


def _moment(at: datetime) -> datetime | None:
    return at if at.year > 1970 else None


def of_meta(path: str, data: bytes) -> Datum:
    """Return a datum as the meta repo has it."""
    meta = datum_meta.decode(data)
    return Datum(
        id=datum_meta.datum_of(path),
        state="success" if meta.state == "PROCESSED" else meta.state.lower(),
        reason=meta.reason,
        inputs=tuple(part.file_info.file.path for part in meta.inputs),
    )
