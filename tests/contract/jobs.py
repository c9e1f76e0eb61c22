"""A project without a worker: the test tells how its jobs are, and ends them."""

from __future__ import annotations

from typing import Any

from pachyderm_sdk.api import pps

from chexnet.adapters.pachyderm import PachydermPipelines, PachydermStore


class Site:
    """A project with a repo `in`, and a worker's ways to end jobs."""

    def __init__(self, address: str, project: str) -> None:
        self.store = PachydermStore(address, project)
        self.pipelines = PachydermPipelines(address, project)
        self.store.ensure("in")
        self.first = self.store.write("in", {"/a": b"1"})

    def tell(self, job: str, state: pps.JobState, **counts: int) -> None:
        """Tell how a job of `out` is."""
        at = self.pipelines._at
        named = pps.Job(pipeline=pps.Pipeline(project=at.project, name="out"), id=job)
        at.client.pps.update_job_state(job=named, state=state, reason="said so", **counts)

    def end(self, job: str, state: pps.JobState, **counts: int) -> None:
        """End a job of `out` as its worker does: both commits, then its state."""
        at = self.pipelines._at
        for kind in ("meta", "user"):
            at.client.pfs.finish_commit(commit=at.commit("out", job, kind), force=True)
        self.tell(job, state, **counts)

    def salt(self, pipeline: str = "out") -> str:
        """Return what makes a worker do all datums anew when it changes."""
        at = self.pipelines._at
        named = pps.Pipeline(project=at.project, name=pipeline)
        return str(at.client.pps.inspect_pipeline(pipeline=named, details=True).details.salt)


def spec(name: str = "out", branch: str = "master", **more: Any) -> dict[str, Any]:
    return {
        "pipeline": {"name": name},
        "input": {"pfs": {"name": "in", "repo": "in", "branch": branch, "glob": "/*"}},
        "transform": {"cmd": ["true"]},
        **more,
    }
