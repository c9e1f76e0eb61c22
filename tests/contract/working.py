"""A project with a worker: what a test puts into it, and what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chexnet.adapters.pachyderm import Job, PachydermPipelines, PachydermStore
from tests.runners import Runner

COUNT = "wc -c < $in > /$CHEXNET_PFS/out/$(basename $in)"


class Site:
    """A project with a runner, and the ways of the tests to use it."""

    def __init__(self, address: str, project: str, folder: Path) -> None:
        self.store = PachydermStore(address, project)
        self.pipelines = PachydermPipelines(address, project)
        self.store.ensure("in")
        self.runner = Runner(address, project, folder)

    def put(self, **files: bytes | None) -> str:
        content = {f"/{name}": data for name, data in files.items() if data is not None}
        gone = [f"/{name}" for name, data in files.items() if data is None]
        return self.store.write("in", content, remove=gone)

    def apply(self, script: str, name: str = "out", **more: Any) -> Job:
        """Make or change a pipeline that runs a shell script on each file of `in`."""
        spec = {
            "pipeline": {"name": name},
            "input": {"pfs": {"name": "in", "repo": "in", "glob": "/*"}},
            **more,
            "transform": {"cmd": ["sh"], "stdin": [script], **more.get("transform", {})},
        }
        self.pipelines.apply([spec])
        return self.newest(name)

    def newest(self, name: str = "out") -> Job:
        """Wait for the newest job's end."""
        return self.pipelines.wait(name, self.pipelines.jobs(name, 1)[0].id)

    def job(self, commit: str, name: str = "out") -> Job:
        return self.pipelines.wait(name, commit)

    def files(self, repo: str = "out") -> dict[str, bytes]:
        return dict(self.store.fetch(repo))

    def log(self, job: Job, name: str = "out") -> list[str]:
        return [line.text for line in self.pipelines.logs(name, job.id)]


def counts(job: Job) -> tuple[int, int, int, int]:
    return job.processed, job.skipped, job.failed, job.recovered
