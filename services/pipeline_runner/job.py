"""One job: its datums planned, run and kept, and its end told, all of it or nothing."""

from __future__ import annotations

import logging
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct, field
from pachyderm_sdk.api import pfs, pps
from pachyderm_sdk.api.transaction import TransactionRequest

from chexnet.adapters.pachyderm.connection import Connection
from services.pipeline_runner import datums, records
from services.pipeline_runner.attempts import attempt
from services.pipeline_runner.datums import Datum
from services.pipeline_runner.lease import Lease
from services.pipeline_runner.logs import Log
from services.pipeline_runner.meta import Meta
from services.pipeline_runner.plan import Plan, plan
from services.pipeline_runner.records import Outcome, Record
from services.pipeline_runner.scratch import Scratch, prepare
from services.pipeline_runner.workers import Worker

State: TypeAlias = pps.JobState
BATCH, BATCH_BYTES, BATCH_AGE = 250, 32 * 2**20, 1.0  # Outcomes that are kept in one stream.
NAMED = 3  # Failed datums that a job's reason names.


class Interrupted(Exception):
    """The job was killed, or the runner is asked to stop: what was done is kept."""


class Counts(Struct):
    """How far a job is, in datums."""

    data_total: int = 0
    data_processed: int = 0
    data_skipped: int = 0
    data_failed: int = 0
    data_recovered: int = 0

    def add(self, record: Record) -> None:
        """Count a datum that ran."""
        name = "processed" if record.state == "success" else record.state
        setattr(self, f"data_{name}", getattr(self, f"data_{name}") + 1)


class Running(Struct):
    """A datum that runs now."""

    log: Log = field(default_factory=Log)
    said: bool = False


class JobRun:
    """The work of one job.

    Args:
        at: the project.
        job: with details; its inputs are finished.
        lease: held.
        workers: how many datums run at once, and by what.
        scratch: a folder for this job alone.
        known: the records that its meta commit begins with, if that is known; it is changed.
    """

    def __init__(
        self,
        at: Connection,
        job: pps.JobInfo,
        lease: Lease,
        workers: list[Worker],
        scratch: Path,
        known: dict[str, Record] | None = None,
    ) -> None:
        self._at, self._job, self._lease = at, job, lease
        self._workers, self._scratch = workers, scratch
        self._meta = Meta(at, job)
        self._known = known
        self._counts = Counts()
        self._failed: list[Record] = []
        self._interrupted = threading.Event()
        self._over = False
        self._running: dict[str, Running] = {}
        self._old: frozenset[str] = frozenset()  # Datums that ran before: they may have a log.
        self._log = logging.getLogger("pipeline_runner")

    def run(self) -> tuple[State, dict[str, Record]]:
        """Do the job to its end; return its state, and the records that its meta commit holds.

        Raises:
            Interrupted: it was killed, or `interrupt` was called.
            grpc.RpcError: the server failed; another run goes on where this one ended.
        """
        self._tell(State.JOB_STARTING)
        known = self._meta.records() if self._known is None else self._known
        made = plan(datums.listed(self._at, self._job), known, self._job.job.id)
        self._count(made)
        self._tell(State.JOB_RUNNING)
        if made.gone:
            self._meta.leave(made.gone)
            for record in made.gone:
                del known[record.id]
        self._old = frozenset(known)
        self._execute(made.run, known)
        return self._end(known), known

    def interrupt(self) -> None:
        """Let `run` raise Interrupted soon. From any thread."""
        self._interrupted.set()
        for worker in self._workers:
            worker.close()

    def interrupt_if_running(self) -> None:
        """Interrupt, unless the job has just come to its own end."""
        if not self._over:
            self.interrupt()

    def _count(self, made: Plan) -> None:
        self._counts = Counts(data_total=made.total, data_skipped=made.skipped)
        for record in made.resumed:
            self._counts.add(record)

    def _tell(self, state: State) -> None:
        self._at.together(TransactionRequest(update_job_state=self._report(state)))

    def _report(self, state: State, reason: str = "") -> pps.UpdateJobStateRequest:
        counts = {name: getattr(self._counts, name) for name in self._counts.__struct_fields__}
        return pps.UpdateJobStateRequest(
            job=self._job.job, state=state, reason=reason, restart=self._job.restart, **counts
        )

    def _execute(self, todo: tuple[Datum, ...], known: dict[str, Record]) -> None:
        """Run datums, and keep what became of them in batches."""
        done: queue.Queue[tuple[Scratch, Outcome] | BaseException] = queue.Queue()
        left, lock = iter(todo), threading.Lock()
        free: queue.Queue[Worker] = queue.Queue()
        for worker in self._workers:
            free.put(worker)

        def work() -> None:
            """Prepare a datum while others run, then run it."""
            try:
                while not self._interrupted.is_set():
                    with lock:
                        datum = next(left, None)
                    if datum is None:
                        return
                    done.put(self._one(datum, free))
            except BaseException as error:
                done.put(error)

        threads = min(2 * len(self._workers), len(todo))
        with ThreadPoolExecutor(max(threads, 1), "datum") as pool:
            for _ in range(threads):
                pool.submit(work)
            try:
                self._keep(done, len(todo), known)
            except BaseException:
                self.interrupt()
                raise

    def _one(self, datum: Datum, free: queue.Queue[Worker]) -> tuple[Scratch, Outcome]:
        scratch = prepare(self._at, self._job, datum, self._scratch / datum.id)
        worker = free.get()
        self._running[datum.id] = running = Running()
        try:
            return scratch, attempt(worker, scratch, self._job, running.log)
        finally:
            free.put(worker)

    def _keep(
        self,
        done: queue.Queue[tuple[Scratch, Outcome] | BaseException],
        count: int,
        known: dict[str, Record],
    ) -> None:
        batch: list[tuple[Scratch, Outcome]] = []
        size, due = 0, time.monotonic() + BATCH_AGE
        kept = 0
        while kept < count:
            try:
                one = done.get(timeout=max(0.01, due - time.monotonic()))
            except queue.Empty:
                pass
            else:
                if self._interrupted.is_set():
                    raise Interrupted
                if isinstance(one, BaseException):
                    raise one
                batch.append(one)
                size += sum(file.stat().st_size for file in one[1].files.values())
            if self._interrupted.is_set():
                raise Interrupted
            full = len(batch) >= BATCH or size >= BATCH_BYTES or kept + len(batch) == count
            if full or time.monotonic() >= due:
                self._flush(batch, known)
                kept += len(batch)
                batch, size, due = [], 0, time.monotonic() + BATCH_AGE

    def _flush(self, batch: list[tuple[Scratch, Outcome]], known: dict[str, Record]) -> None:
        """Write logs, records and outputs, and tell how far the job is."""
        running = dict(self._running)
        ended = {outcome.record.id for _, outcome in batch}
        said = {
            name: data
            for name, one in running.items()
            if (data := one.log.take(all_=name in ended))
        }
        # A log begins anew with its datum: also that of one that has nothing to say.
        stale = [name for name in {*said, *ended} if not running[name].said and name in self._old]
        if said or stale:
            self._meta.log(said, fresh=stale)
        for name in said:
            running[name].said = True
        if not batch:
            return
        self._meta.keep([outcome for _, outcome in batch], known)
        for scratch, outcome in batch:
            record = outcome.record
            known[record.id] = record
            self._counts.add(record)
            if record.state == "failed":
                self._failed.append(record)
                self._reason(record)
            del self._running[record.id]
            scratch.delete()
        self._tell(State.JOB_RUNNING)

    def _reason(self, record: Record) -> None:
        fields = {"datum": record.id, "inputs": [i.path for i in record.inputs]}
        self._log.warning("datum failed", extra={"fields": {**fields, "reason": record.reason}})

    def _end(self, known: dict[str, Record]) -> State:
        """Finish both commits, the job and the lease in one transaction."""
        reason = self._why_failed(known)
        state = State.JOB_FAILURE if reason else State.JOB_SUCCESS
        if not reason:
            self._meta.take_over(known)
        self._over = True
        self._at.together(
            finished(self._meta.commit),
            finished(self._meta.output, reason),
            TransactionRequest(update_job_state=self._report(state, reason)),
            finished(self._lease.commit),
        )
        self._lease.ended()
        return state

    def _why_failed(self, known: dict[str, Record]) -> str:
        if self._failed:
            named = "; ".join(_told(record) for record in self._failed[:NAMED])
            more = len(self._failed) - NAMED
            return f"{named}{f'; and {more} more' if more > 0 else ''}"
        if (found := records.collision(known.values())) is not None:
            path, one, other = found
            paths = " and ".join(", ".join(i.path for i in r.inputs) for r in (one, other))
            return f"two datums must not write one file: {path}, of {paths}"
        return ""


def finished(commit: pfs.Commit | None, error: str = "") -> TransactionRequest:
    """Return the request that finishes a job's commit, or a lease's."""
    finish = pfs.FinishCommitRequest(commit=commit, error=error, force=True)
    return TransactionRequest(finish_commit=finish)


def _told(record: Record) -> str:
    inputs = ", ".join(f"{part.repo}:{part.path}" for part in record.inputs)
    return f"datum {record.id[:12]} ({inputs}) failed: {record.reason}"
