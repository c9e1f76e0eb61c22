"""pipeline_runner: the worker of Pachyderm's pipelines, where no Kubernetes runs workers."""

from __future__ import annotations

import os
from functools import partial

from chexnet.adapters.pachyderm.connection import Connection
from chexnet.runtime import health, logs
from chexnet.runtime.stopping import on_signals, run
from chexnet.settings import Settings
from services.pipeline_runner.runner import Runner


def main() -> int:
    """Run until SIGTERM."""
    settings = Settings()
    logs.setup("pipeline_runner", settings.log_level)
    status = health.Health("pipeline_runner")
    health.serve(status, settings.health)
    return Runner(
        partial(Connection, settings.store, settings.pipeline),
        does=settings.runner.does,
        size=settings.runner.workers or len(os.sched_getaffinity(0)),
        scratch=settings.state / "scratch" / f"{settings.pipeline}-{settings.instance}",
        health=status,
        stop=on_signals(),
    ).run()


if __name__ == "__main__":
    run(main)
