"""The runner: each pipeline's jobs, the oldest first; different pipelines at the same time."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import grpc
from pachyderm_sdk.api import pfs, pps
from pachyderm_sdk.api.transaction import TransactionRequest

from chexnet.adapters.pachyderm.connection import Connection, code
from chexnet.runtime.health import Health
from chexnet.runtime.stopping import Backoff
from services.pipeline_runner import orphans, workers
from services.pipeline_runner.job import Interrupted, JobRun, finished
from services.pipeline_runner.lease import BEAT, Lease
from services.pipeline_runner.workers import Worker

LOOK = 1.0  # Seconds: Pachyderm does not tell of new pipelines, so they are looked for.
IDLE = 30.0  # Seconds after which an idle pipeline's processes are ended.
TRIES = 3  # Of a job that the runner itself fails at.
_OVER = {pps.JobState(n) for n in (4, 5, 6, 9)}
_DOWN = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
_LOG = logging.getLogger("pipeline_runner")


class Runner:
    """Does the jobs of a project's pipelines, until it is stopped.

    Args:
        connect: opens a connection to the project.
        size: how many datums of a pipeline run at once, where its spec does not say.
        scratch: a folder of this runner alone; what lies there is deleted.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        *,
        size: int,
        scratch: Path,
        health: Health,
        stop: threading.Event,
    ) -> None:
        self._connect, self._size, self._scratch = connect, size, scratch
        self._health, self._stop = health, stop
        self._lines: dict[str, Line] = {}

    def run(self) -> int:
        """Work until `stop` is set; return the exit code."""
        if left := orphans.end(self._scratch):
            _LOG.warning("ended what a killed runner left", extra={"fields": {"pids": left}})
        orphans.adopt(self._scratch)
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(parents=True)
        at, backoff = self._connect(), Backoff(self._stop)
        while not self._stop.is_set():
            try:
                found = at.client.pps.list_pipeline(projects=[at.project], details=True)
                self._follow({info.pipeline.name: info for info in found if not info.stopped})
            except (ConnectionError, grpc.RpcError) as error:
                self._health.set("waiting", f"Waiting for the version store at {at.address}.")
                _LOG.info("waiting", extra={"fields": {"reason": _words(error)}})
                backoff.wait()
            else:
                self._health.set("ok")
                backoff.reset()
                self._stop.wait(LOOK)
        for line in self._lines.values():
            line.end()
        for line in self._lines.values():
            line.join()
        shutil.rmtree(self._scratch, ignore_errors=True)
        return 0

    def _follow(self, there: dict[str, pps.PipelineInfo]) -> None:
        """Start a line for each new pipeline, and end those whose pipeline is gone."""
        for name in set(self._lines) - set(there):
            self._lines.pop(name).end()
        for name, info in there.items():
            if name not in self._lines:
                folder = self._scratch / name
                self._lines[name] = Line(self._connect(), info.pipeline, self._size, folder)
                self._lines[name].start()


class Line(threading.Thread):
    """One pipeline's jobs, one after the other."""

    def __init__(self, at: Connection, pipeline: pps.Pipeline, size: int, scratch: Path) -> None:
        super().__init__(name=pipeline.name, daemon=True)  # It may wait for ever in a call.
        self._at, self._pipeline, self._size, self._scratch = at, pipeline, size, scratch
        self._lease = Lease(at, pipeline.name)
        self._ended = threading.Event()
        self._busy = threading.Lock()
        self._current: JobRun | None = None
        self._workers: list[Worker] = []
        self._transform = b""
        self._idle: threading.Timer | None = None

    def run(self) -> None:
        """Follow the jobs until the end is asked for."""
        backoff = Backoff(self._ended)
        while not self._ended.is_set():
            try:
                for info in self._at.client.pps.subscribe_job(
                    pipeline=self._pipeline, details=True
                ):
                    if self._ended.is_set():
                        return
                    backoff.reset()
                    with self._busy:
                        self._do(info)
            except (ConnectionError, grpc.RpcError) as error:
                if not self._ended.is_set():
                    fields = {"pipeline": self.name, "reason": _words(error)}
                    _LOG.info("waiting", extra={"fields": fields})
                self._lease.release()
                backoff.wait()

    def end(self) -> None:
        """Ask for the end: a job that runs is left as it is, for another run to go on with."""
        self._ended.set()
        if self._current is not None:
            self._current.interrupt()
        self._close_workers()

    def join(self, timeout: float | None = 30.0) -> None:
        """Wait until no job runs here; a line that only waits for jobs is not waited for."""
        if self._busy.acquire(timeout=timeout or -1):
            self._busy.release()

    def _do(self, info: pps.JobInfo) -> None:
        """Do a job when its turn and its inputs have come, unless another runner does."""
        tries = 0
        while not self._ended.is_set() and self._is_open(info.job):
            if wrong := self._wait_for_inputs(info):
                self._refuse(info, wrong)
                return
            if not self._lease.take():
                self._ended.wait(BEAT / 2)
                continue
            try:
                self._run(info)
            except Interrupted:
                self._lease.release()
            except (ConnectionError, grpc.RpcError) as error:
                if isinstance(error, ConnectionError) or code(error) in _DOWN:
                    raise
                tries += 1
                self._stumble(info, tries, _words(error))
            except Exception as error:
                tries += 1
                _LOG.exception("bug", extra={"fields": {"job": info.job.id}})
                self._stumble(info, tries, repr(error))
            finally:
                self._lease.release()

    def _is_open(self, job: pps.Job) -> bool:
        try:
            return self._at.client.pps.inspect_job(job=job).state not in _OVER
        except grpc.RpcError as error:
            if code(error) == grpc.StatusCode.NOT_FOUND:
                return False
            raise

    def _wait_for_inputs(self, info: pps.JobInfo) -> str:
        """Return when all input commits are finished; with why, if one has an error."""
        client = self._at.client
        output = client.pfs.inspect_commit(commit=info.output_commit, wait=pfs.CommitState.READY)
        inputs = (client.pfs.inspect_commit(commit=up) for up in output.direct_provenance)
        failed = [up.commit.repo.name for up in inputs if up.error]
        return f"unrunnable because these inputs failed: {', '.join(failed)}" if failed else ""

    def _refuse(self, info: pps.JobInfo, reason: str) -> None:
        meta = self._at.commit(info.job.pipeline.name, info.job.id, "meta")
        report = pps.UpdateJobStateRequest(
            job=info.job, state=pps.JobState.JOB_UNRUNNABLE, reason=reason
        )
        with suppress(grpc.RpcError):  # It was ended meanwhile.
            self._at.together(
                finished(meta),
                finished(info.output_commit, reason),
                TransactionRequest(update_job_state=report),
            )

    def _run(self, info: pps.JobInfo) -> None:
        self._ready_workers(info)
        shutil.rmtree(self._scratch, ignore_errors=True)
        run = JobRun(self._at, info, self._lease, self._workers, self._scratch)
        self._current = run
        threading.Thread(target=self._watch, args=(info.job, run), daemon=True).start()
        fields = {"pipeline": self.name, "job": info.job.id}
        _LOG.info("job begins", extra={"fields": fields})
        try:
            if self._ended.is_set():
                raise Interrupted
            state = run.run()
        except BaseException:  # They were ended with the job, or don't know of its end.
            self._close_workers()
            raise
        finally:
            self._current = None
        _LOG.info("job ends", extra={"fields": {**fields, "state": state.name}})
        self._idle = threading.Timer(IDLE, self._close_if_idle)
        self._idle.daemon = True
        self._idle.start()

    def _watch(self, job: pps.Job, run: JobRun) -> None:
        """Interrupt a run whose job is killed."""
        with suppress(ConnectionError, grpc.RpcError):
            self._at.client.pps.inspect_job(job=job, wait=True)
            run.interrupt_if_running()

    def _stumble(self, info: pps.JobInfo, tries: int, reason: str) -> None:
        """Try a job again that the runner itself has failed at, but not for ever."""
        fields = {"pipeline": self.name, "job": info.job.id, "reason": reason}
        _LOG.error("job failed in the runner", extra={"fields": fields})
        self._close_workers()
        if tries >= TRIES:
            self._at.client.pps.stop_job(job=info.job, reason=f"the runner failed: {reason}")

    def _ready_workers(self, info: pps.JobInfo) -> None:
        """Keep the processes of the job before, if they run the same transform."""
        if self._idle is not None:
            self._idle.cancel()
        transform = info.details.transform
        if self._workers and self._transform == bytes(transform):
            return
        self._close_workers()
        size = info.details.parallelism_spec.constant or self._size
        self._transform = bytes(transform)
        self._workers = [workers.make(transform) for _ in range(size)]

    def _close_if_idle(self) -> None:
        if self._busy.acquire(blocking=False):
            self._close_workers()
            self._busy.release()

    def _close_workers(self) -> None:
        for worker in self._workers:
            worker.close()
        self._workers = []


def _words(error: Exception) -> str:
    return str(error.details()) if isinstance(error, grpc.Call) else str(error)
