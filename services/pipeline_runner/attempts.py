"""A datum's tries: as many as its spec allows, and then its error handler."""

from __future__ import annotations

import time

from pachyderm_sdk.api import pps

from chexnet.adapters.pachyderm import paths
from services.pipeline_runner.logs import Log
from services.pipeline_runner.records import Input, Outcome, Record, State
from services.pipeline_runner.scratch import Scratch
from services.pipeline_runner.workers import Worker


def attempt(worker: Worker, scratch: Scratch, job: pps.JobInfo, log: Log) -> Outcome:
    """Run a job's transform on one datum, until it goes well or its tries are used up."""
    details, began = job.details, time.monotonic()
    timeout = details.datum_timeout.total_seconds() or None
    tries = max(1, details.datum_tries)
    state: State = "success"
    outputs: tuple[str, ...] = ()
    for number in range(1, tries + 1):
        wrong = worker.run(scratch, log.say, timeout)
        if wrong is None:
            outputs = scratch.outputs()  # One that the store refuses would take all with it.
            wrong = next(filter(None, map(paths.wrong, outputs)), None)
        if wrong is None:
            break
        log.say(f"[try {number} of {tries}: {wrong}]\n".encode())
        scratch.clear()
    else:
        state = "recovered" if _handled(worker, scratch, job, log, timeout) else "failed"
    return Outcome(
        record=Record(
            id=scratch.datum.id,
            hash=scratch.datum.hash,
            state=state,
            inputs=tuple(
                Input(part.name, part.repo, part.commit, part.path, part.branch)
                for part in scratch.datum.parts
            ),
            outputs=outputs if state == "success" else (),
            job=job.job.id,
            reason=wrong or "",
            tries=number,
            seconds=round(time.monotonic() - began, 4),
        ),
        folder=scratch.out,
    )


def _handled(
    worker: Worker, scratch: Scratch, job: pps.JobInfo, log: Log, timeout: float | None
) -> bool:
    """Run the spec's error handler, if it has one; return whether that went well."""
    if not job.details.transform.err_cmd:
        return False
    wrong = worker.handle(scratch, log.say, timeout)
    scratch.clear()
    if wrong is not None:
        log.say(f"[error handler: {wrong}]\n".encode())
    return wrong is None
