"""The runner: a line of jobs for each pipeline; different pipelines at the same time."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import grpc
from pachyderm_sdk.api import pps

from chexnet.adapters.pachyderm.connection import Connection
from chexnet.runtime.health import Health
from chexnet.runtime.stopping import Backoff
from services.pipeline_runner import orphans
from services.pipeline_runner.line import Line, words

LOOK = 1.0  # Seconds: Pachyderm does not tell of new pipelines, so they are looked for.
_LOG = logging.getLogger("pipeline_runner")


class Runner:
    """Does the jobs of a project's pipelines, until it is stopped.

    Args:
        connect: opens a connection to the project.
        does: whether a pipeline's jobs are this runner's, by its name.
        size: how many datums of a pipeline run at once, where its spec does not say.
        scratch: a folder of this runner alone; what lies there is deleted.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        *,
        does: Callable[[str], bool],
        size: int,
        scratch: Path,
        health: Health,
        stop: threading.Event,
    ) -> None:
        self._connect, self._does, self._size, self._scratch = connect, does, size, scratch
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
                own = (info for info in found if self._does(info.pipeline.name))
                self._follow({info.pipeline.name: info for info in own if not info.stopped})
            except (ConnectionError, grpc.RpcError) as error:
                self._health.set("waiting", f"Waiting for the version store at {at.address}.")
                _LOG.info("waiting", extra={"fields": {"reason": words(error)}})
                backoff.wait()
            else:
                self._tell()
                backoff.reset()
                self._stop.wait(LOOK)
        for line in self._lines.values():
            line.end()
        for line in self._lines.values():
            line.join()
        shutil.rmtree(self._scratch, ignore_errors=True)
        return 0

    def _tell(self) -> None:
        """Be well when all pipelines are: one that is not is named."""
        waiting = [f"{name}: {line.trouble}" for name, line in self._lines.items() if line.trouble]
        self._health.set("waiting" if waiting else "ok", "; ".join(waiting))

    def _follow(self, there: dict[str, pps.PipelineInfo]) -> None:
        """Start a line for each new pipeline, and end those whose pipeline is gone."""
        for name in set(self._lines) - set(there):
            self._lines.pop(name).end()
        for name, info in there.items():
            if name not in self._lines:
                folder = self._scratch / name
                self._lines[name] = Line(self._connect(), info.pipeline, self._size, folder)
                self._lines[name].start()
