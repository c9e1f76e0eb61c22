"""One pipeline's line of jobs: the oldest first, each when its inputs and its turn have come."""

from __future__ import annotations

import errno
import logging
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import grpc
from pachyderm_sdk.api import pfs, pps
from pachyderm_sdk.api.transaction import TransactionRequest

from chexnet.adapters.pachyderm.connection import Connection, code
from chexnet.runtime.stopping import Backoff
from services.pipeline_runner import workers
from services.pipeline_runner.job import Interrupted, JobRun, finished
from services.pipeline_runner.lease import BEAT, Lease
from services.pipeline_runner.records import Record
from services.pipeline_runner.workers import Worker

IDLE = 30.0  # Seconds after which an idle pipeline's processes are ended.
TRIES = 3  # Of a job that the runner itself fails at.
_OVER = {pps.JobState(n) for n in (4, 5, 6, 9)}
_DOWN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
_FULL = {errno.ENOSPC, errno.EDQUOT}
_LOG = logging.getLogger("pipeline_runner")


class Line(threading.Thread):
    """One pipeline's jobs, one after the other."""

    def __init__(self, at: Connection, pipeline: pps.Pipeline, size: int, scratch: Path) -> None:
        super().__init__(name=pipeline.name, daemon=True)  # It may wait for ever in a call.
        self._at, self._pipeline, self._size, self._scratch = at, pipeline, size, scratch
        self._lease = Lease(at, pipeline.name, self._interrupt)
        self._ended = threading.Event()
        self._busy = threading.Lock()
        self._current: JobRun | None = None
        self._workers: list[Worker] = []
        self._transform = b""
        self._idle: threading.Timer | None = None
        self._sound: set[str] = set()  # Inputs of the last job without an error; they don't change.
        self._known: tuple[str, dict[str, Record]] | None = None  # The last job, what it left.
        self._waits = ""

    @property
    def trouble(self) -> str:
        """Why its jobs don't go on; empty if they do."""
        if not self.is_alive() and not self._ended.is_set():
            return "its thread has ended; restart the runner"
        return self._waits

    def run(self) -> None:
        """Follow the jobs until the end is asked for."""
        backoff = Backoff(self._ended)
        while not self._ended.is_set():
            try:
                self._waits = ""
                for info in self._at.client.pps.subscribe_job(
                    pipeline=self._pipeline, details=True
                ):
                    if self._ended.is_set():
                        return
                    self._do(info)
                    self._waits = ""
                    backoff.reset()
            except Exception as error:
                self._waits = words(error)
                fields = {"pipeline": self.name, "reason": self._waits}
                if not _is_outage(error):
                    _LOG.exception("bug", extra={"fields": fields})
                elif not self._ended.is_set():
                    _LOG.info("waiting", extra={"fields": fields})
                self._lease.release()
                backoff.wait()

    def end(self) -> None:
        """Ask for the end: a job that runs is left as it is, for another run to go on with."""
        self._ended.set()
        self._interrupt()
        self._close_workers()

    def _interrupt(self) -> None:
        """Leave the job that runs, if one does."""
        if (run := self._current) is not None:
            run.interrupt_if_running()

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
                with self._busy:
                    self._run(info)
            except Interrupted:
                pass
            except Exception as error:
                if _is_outage(error):
                    raise
                if not self._lease.held():  # Another runner has it: whatever failed, it goes on.
                    continue
                if not isinstance(error, grpc.RpcError):
                    _LOG.exception("bug", extra={"fields": {"job": info.job.id}})
                tries += 1
                self._stumble(info, tries, words(error))
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
        inputs = {f"{up.repo.type}/{up.repo.name}@{up.id}": up for up in output.direct_provenance}
        new = [up for name, up in inputs.items() if name not in self._sound]
        looked = [client.pfs.inspect_commit(commit=up) for up in new]
        failed = [up.commit.repo.name for up in looked if up.error]
        if not failed:
            self._sound = set(inputs)
        return f"unrunnable because these inputs failed: {', '.join(failed)}" if failed else ""

    def _refuse(self, info: pps.JobInfo, reason: str) -> None:
        meta = self._at.commit(info.job.pipeline.name, info.job.id, "meta")
        report = pps.UpdateJobStateRequest(
            job=info.job, state=pps.JobState.JOB_UNRUNNABLE, reason=reason
        )
        try:
            self._at.together(
                finished(meta),
                finished(info.output_commit, reason),
                TransactionRequest(update_job_state=report),
            )
        except grpc.RpcError as error:
            if _is_outage(error):
                raise
            if self._is_open(info.job):  # It was not ended by somebody else meanwhile.
                raise

    def _run(self, info: pps.JobInfo) -> None:
        self._ready_workers(info)
        shutil.rmtree(self._scratch, ignore_errors=True)
        known, limit = self._recall(info), self._limit(info)
        run = JobRun(self._at, info, self._lease, self._workers, self._scratch, known)
        self._current = run
        threading.Thread(target=self._watch, args=(info.job, run), daemon=True).start()
        fields = {"pipeline": self.name, "job": info.job.id}
        _LOG.info("job begins", extra={"fields": fields})
        try:
            if self._ended.is_set():
                raise Interrupted
            state, known = run.run()
        except BaseException:  # They were ended with the job, or don't know of its end.
            self._close_workers()
            raise
        finally:
            self._current = None
            if limit is not None:
                limit.cancel()
        if state == pps.JobState.JOB_SUCCESS:
            self._known = (info.job.id, known)
        _LOG.info("job ends", extra={"fields": {**fields, "state": state.name}})
        self._idle = threading.Timer(IDLE, self._close_if_idle)
        self._idle.daemon = True
        self._idle.start()

    def _recall(self, info: pps.JobInfo) -> dict[str, Record] | None:
        """Return the records that a job begins with, if the job before it was done here.

        A job that anybody has begun has records of its own, and is read.
        """
        before, self._known = self._known, None
        if before is None:
            return None
        meta = self._at.commit(info.job.pipeline.name, info.job.id, "meta")
        parent = self._at.client.pfs.inspect_commit(commit=meta).parent_commit.id
        now = self._at.client.pps.inspect_job(job=info.job).state
        fresh = now == pps.JobState.JOB_CREATED
        return before[1] if fresh and parent == before[0] else None

    def _limit(self, info: pps.JobInfo) -> threading.Timer | None:
        """Kill a job when its time is over, which began with the first runner that took it."""
        seconds = info.details.job_timeout.total_seconds()
        if not seconds:
            return None
        started = self._at.client.pps.inspect_job(job=info.job).started
        gone = (datetime.now(UTC) - started).total_seconds() if started.year > 1970 else 0.0
        reason = f"it took longer than {seconds:.0f} s"
        timer = threading.Timer(max(0.0, seconds - gone), self._kill, (info.job, reason))
        timer.daemon = True
        timer.start()
        return timer

    def _kill(self, job: pps.Job, reason: str) -> None:
        def stop() -> None:
            if self._is_open(job):
                self._at.client.pps.stop_job(job=job, reason=reason)

        self._through_outages(stop, lambda: not self._ended.is_set())

    def _watch(self, job: pps.Job, run: JobRun) -> None:
        """Interrupt a run whose job is killed, also after an outage."""

        def ended() -> None:
            self._at.client.pps.inspect_job(job=job, wait=True)
            run.interrupt_if_running()

        with suppress(grpc.RpcError):  # The run meets it too.
            self._through_outages(ended, lambda: self._current is run)

    def _through_outages(self, act: Callable[[], None], wanted: Callable[[], bool]) -> None:
        """Do what is wanted, once no outage is in its way; raise what is none."""
        backoff = Backoff(self._ended)
        while wanted():
            try:
                act()
            except (ConnectionError, grpc.RpcError) as error:
                if not _is_outage(error):
                    raise
                backoff.wait()
            else:
                return

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


def _is_outage(error: Exception) -> bool:
    """Say whether to wait is all that helps: no job is at fault."""
    if isinstance(error, grpc.RpcError):
        return code(error) in _DOWN
    full = isinstance(error, OSError) and error.errno in _FULL
    return full or isinstance(error, ConnectionError)


def words(error: Exception) -> str:
    """Return what an error says."""
    if isinstance(error, grpc.Call):
        return str(error.details())
    return str(error) or repr(error)
