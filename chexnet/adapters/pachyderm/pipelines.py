"""The pipelines of one Pachyderm project, and their jobs."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Literal

import grpc
from pachyderm_sdk.api import pfs, pps
from pachyderm_sdk.api.transaction import TransactionRequest

from chexnet.adapters.pachyderm import datum_meta, specs
from chexnet.adapters.pachyderm.connection import BRANCH, Connection, code, text
from chexnet.adapters.pachyderm.jobs import (
    Datum,
    Job,
    LogLine,
    Pipeline,
    of_job,
    of_meta,
    of_pipeline,
    upstream_first,
)
from chexnet.adapters.pachyderm.store import requests
from chexnet.errors import ConfigError, NotFound, Refused
from chexnet.settings import StoreSettings

ASK = 0.5  # Seconds: Pachyderm tells of a job's end only; how far it is has to be asked for.
Applied = Literal["created", "updated", "unchanged"]


class PachydermPipelines:
    """What people and commands do with pipelines.

    Args:
        store: host:port of pachd or of services/version_store, or the settings that name it.
        project: the pipeline's name, as the site has it.
    """

    def __init__(self, store: StoreSettings | str, project: str) -> None:
        self._at = Connection(store, project)
        self._pps, self._pfs = self._at.client.pps, self._at.client.pfs

    def apply(
        self, wanted: Sequence[Mapping[str, Any]], *, dry_run: bool = False
    ) -> dict[str, Applied]:
        """Create pipelines, or bring them to their specs; a changed transform processes anew.

        Args:
            wanted: specs, upstream ones first; see chexnet/pipelines/specs.
            dry_run: only say what would be done.

        Raises:
            ConfigError: a spec is not one.
        """
        parsed = [specs.parse(spec, self._at.project.name) for spec in wanted]
        done: dict[str, Applied] = {}
        with self._at.errors("the pipelines"):
            if not dry_run:
                self._make_repos(parsed)
            for request in parsed:
                done[request.pipeline.name] = self._apply(request, dry_run=dry_run)
        return done

    def _make_repos(self, parsed: Sequence[pps.CreatePipelineRequest]) -> None:
        made = {request.pipeline.name for request in parsed}
        read = {each.repo for request in parsed for each in specs.inputs(request.input)}
        self._unless_there(lambda: self._pfs.create_project(project=self._at.project))
        for name in sorted(read - made):
            repo = self._at.repo(name)
            self._unless_there(lambda repo=repo: self._pfs.create_repo(repo=repo))

    def _unless_there(self, create: Any) -> None:
        try:
            create()
        except grpc.RpcError as error:
            if code(error) != grpc.StatusCode.ALREADY_EXISTS:
                raise

    def _apply(self, request: pps.CreatePipelineRequest, *, dry_run: bool) -> Applied:
        try:
            there = self._pps.inspect_pipeline(pipeline=request.pipeline, details=True)
        except grpc.RpcError as error:
            if code(error) != grpc.StatusCode.NOT_FOUND:
                raise
            there = None
        notes, old = request.metadata.annotations, {}
        if there is not None:
            old = there.details.metadata.annotations
            if old.get(specs.SPEC) == notes[specs.SPEC]:
                return "unchanged"
            request.update = True
            request.reprocess = old.get(specs.WORK) != notes[specs.WORK]
        if not dry_run:
            fields = {
                name: getattr(request, name) for name in request._betterproto.sorted_field_names
            }
            try:
                self._pps.create_pipeline(**fields)
            except grpc.RpcError as error:
                if code(error) != grpc.StatusCode.UNKNOWN:  # As Pachyderm says what is not valid.
                    raise
                rule = "A pipeline's spec must be one that Pachyderm accepts."
                received = f"Received: {request.pipeline.name}, of which it says: {text(error)}."
                raise ConfigError(f"{rule} {received} Correct it.") from error
        return "created" if there is None else "updated"

    def every(self) -> list[Pipeline]:
        """Return the project's pipelines, upstream ones first."""
        with self._at.errors(f"project {self._at.project.name}"):
            listed = self._pps.list_pipeline(projects=[self._at.project], details=True)
            return upstream_first([of_pipeline(info) for info in listed])

    def jobs(self, pipeline: str | None = None, limit: int = 20) -> list[Job]:
        """Return jobs, the newest first; raise NotFound if there is no such pipeline."""
        with self._at.errors(f"there is no pipeline {pipeline}"):
            if pipeline is None:
                found = self._pps.list_job(projects=[self._at.project], history=-1)
            else:
                found = self._pps.list_job(pipeline=self._named(pipeline), history=-1)
            jobs = [of_job(info) for info in islice(found, limit)]
            if not jobs and pipeline is not None:
                self._pps.inspect_pipeline(pipeline=self._named(pipeline))
            return jobs

    def job(self, pipeline: str, job: str) -> Job:
        """Return one job; raise NotFound."""
        with self._at.errors(f"pipeline {pipeline} has no job {job}"):
            return of_job(self._pps.inspect_job(job=self._job(pipeline, job)))

    def wait(self, pipeline: str, job: str) -> Job:
        """Return a job when it is over, and its output can be read."""
        with self._at.errors(f"pipeline {pipeline} has no job {job}"):
            over = of_job(self._pps.inspect_job(job=self._job(pipeline, job), wait=True))
            self._pfs.wait_commit(self._at.commit(pipeline, job))  # pachd finishes it afterwards.
            return over

    def follow(self, pipeline: str, job: str) -> Iterator[Job]:
        """Yield a job as it is, about twice a second, until it is over."""
        pause = threading.Event()
        while not (now := self.job(pipeline, job)).over:
            yield now
            pause.wait(ASK)
        yield self.wait(pipeline, job)

    def logs(
        self, pipeline: str, job: str, *, datum: str = "", follow: bool = False
    ) -> Iterator[LogLine]:
        """Yield what the transforms of a job's datums have written.

        Args:
            pipeline: its name.
            job: its id.
            datum: only of datums whose ids begin so.
            follow: wait for what comes, to the job's end; without, datums that were not run again
                have what they wrote in the job that ran them.
        """
        read: dict[str, int] = {}
        for now in self.follow(pipeline, job) if follow else [self.job(pipeline, job)]:
            named = f"{datum}*/{job}" if follow else f"{datum}*/*"
            yield from self._new_lines(now, named, read, to_end=now.over or not follow)

    def _new_lines(
        self, job: Job, named: str, read: dict[str, int], *, to_end: bool
    ) -> Iterator[LogLine]:
        """Yield the whole lines that came since `read`; at the end, the rest too."""
        meta = self._at.commit(job.pipeline, job.id, "meta")
        with self._at.errors(f"the logs of {job.pipeline}"):
            for info in list(
                self._pfs.glob_file(commit=meta, pattern=f"{datum_meta.LOGS}/{named}")
            ):
                name = info.file.path.split("/")[-2]
                done = read.get(name, 0)
                if info.size_bytes <= done:
                    continue
                data = self._content(info.file, done)
                whole = len(data) if to_end else data.rfind(b"\n") + 1
                read[name] = done + whole
                for line in data[:whole].decode(errors="replace").splitlines():
                    yield LogLine(name, line)

    def datums(self, pipeline: str, job: str) -> list[Datum]:
        """Return what became of a job's datums, as its meta commit has it."""
        meta = self._at.commit(pipeline, job, "meta")
        with self._at.errors(f"pipeline {pipeline} has no job {job}"):
            found = list(self._pfs.glob_file(commit=meta, pattern=datum_meta.EVERY))
            return [of_meta(info.file.path, self._content(info.file)) for info in found]

    def _content(self, file: pfs.File, offset: int = 0) -> bytes:
        pieces = self._pfs.get_file(file=file, offset=offset)
        return b"".join(piece.value for piece in pieces)

    def run(self, pipeline: str, *, reprocess: bool = False) -> Job:
        """Open a job on the inputs as they are; with `reprocess`, every datum is done anew.

        Raises:
            Refused: the pipeline is stopped, so it opens no jobs.
        """
        with self._at.errors(f"there is no pipeline {pipeline}"):
            if self._pps.inspect_pipeline(pipeline=self._named(pipeline)).stopped:
                rule = "A pipeline opens jobs while it is not stopped."
                todo = f"Let it go on with: chexnet pipeline start {pipeline}"
                raise Refused(f"{rule} Received: {pipeline}, which is. {todo}")
            self._pps.rerun_pipeline(pipeline=self._named(pipeline), reprocess=reprocess)
        return self.jobs(pipeline, 1)[0]

    def start(self, pipeline: str) -> None:
        """Let a stopped pipeline go on."""
        with self._at.errors(f"there is no pipeline {pipeline}"):
            self._pps.start_pipeline(pipeline=self._named(pipeline))

    def stop(self, pipeline: str) -> None:
        """Stop a pipeline: its open jobs are killed, and new commits open none."""
        with self._at.errors(f"there is no pipeline {pipeline}"):
            self._pps.stop_pipeline(pipeline=self._named(pipeline), must_exist=True)

    def stop_job(self, pipeline: str, job: str, reason: str) -> None:
        """Kill a job."""
        with self._at.errors(f"pipeline {pipeline} has no job {job}"):
            self._pps.stop_job(job=self._job(pipeline, job), reason=reason)

    def branch(self, repo: str, name: str) -> str | None:
        """Return the commit that a branch points at; None where there is no such branch."""
        with suppress(NotFound), self._at.errors(f"{repo}@{name}"):
            return str(self._pfs.inspect_branch(branch=self._at.branch(repo, name)).head.id)
        return None

    def same(self, repo: str, one: str, other: str) -> bool:
        """Return whether two commits of a repo hold the same files."""
        with self._at.errors(f"repo {repo}"):
            return self._contents(repo, one) == self._contents(repo, other)

    def _contents(self, repo: str, commit: str) -> bytes:
        """Return the hash of all files of a commit; b"" where it has none, and so no root."""
        root = pfs.File(commit=self._at.commit(repo, commit), path="/")
        try:
            return bytes(self._pfs.inspect_file(file=root).hash)
        except grpc.RpcError as error:
            if code(error) != grpc.StatusCode.NOT_FOUND:
                raise
            self._pfs.inspect_commit(commit=root.commit)
            return b""

    def move(
        self,
        heads: Mapping[tuple[str, str], str],
        files: Mapping[str, Mapping[str, bytes]] | None = None,
    ) -> str:
        """Point branches at commits, and change repos, as one: one job for each pipeline below.

        Args:
            heads: (repo, branch) → commit.
            files: repo → path → content of a new commit on its master.

        Returns:
            The id of the jobs that this opens.

        Raises:
            NotFound: there is no such repo or commit.
        """
        changed = files or {}
        with self._at.errors("a repo or commit"):
            for repo in changed:
                self._close_open_head(repo)
            opened = self._at.together(
                *(self._started(repo) for repo in changed),
                *(self._moved(*place, head) for place, head in heads.items()),
            )
            for repo, content in changed.items():
                commit = self._at.commit(repo, opened)
                self._pfs.modify_file(requests(commit, content.items()))
                self._pfs.finish_commit(commit=commit)
        return opened

    def _started(self, repo: str) -> TransactionRequest:
        start = pfs.StartCommitRequest(branch=self._at.branch(repo))
        return TransactionRequest(start_commit=start)

    def _moved(self, repo: str, branch: str, head: str) -> TransactionRequest:
        commit = self._at.commit(repo, head)
        create = pfs.CreateBranchRequest(branch=self._at.branch(repo, branch), head=commit)
        return TransactionRequest(create_branch=create)

    def _close_open_head(self, repo: str) -> None:
        """End what a crash left open: the job that waits for it can't be done."""
        head = pfs.Commit(repo=self._at.repo(repo), branch=self._at.branch(repo, BRANCH))
        with suppress(NotFound), self._at.errors(repo):
            info = self._pfs.inspect_commit(commit=head)
            if info.finishing.year <= 1970:
                self._pfs.finish_commit(commit=info.commit, error="abandoned")

    def _named(self, pipeline: str) -> pps.Pipeline:
        return pps.Pipeline(project=self._at.project, name=pipeline)

    def _job(self, pipeline: str, job: str) -> pps.Job:
        return pps.Job(pipeline=self._named(pipeline), id=job)
