"""The pipelines and the repos that they read, as a graph with its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chexnet.adapters.pachyderm.jobs import Job, Pipeline
from chexnet.runtime.drawing import Arrow, Box

MOODS = {"success": "good", "failure": "bad", "unrunnable": "bad", "killed": "waiting"}
MASTER = "@master"


def graph(
    pipelines: Sequence[Pipeline], last: Mapping[str, Job]
) -> tuple[dict[str, Box], list[Arrow]]:
    """Return boxes and arrows: an arrow from another branch than master waits for a decision.

    Args:
        pipelines: of a project, upstream ones first.
        last: pipeline → its newest job.
    """
    names = {pipeline.name for pipeline in pipelines}
    boxes: dict[str, Box] = {}
    arrows = []
    for pipeline in pipelines:
        for read in pipeline.reads:
            repo, _, branch = read.partition("@")
            if repo not in names:
                boxes.setdefault(repo, Box(title=repo, lines=("repo",)))
            label = "" if read.endswith(MASTER) else f"@{branch}"
            arrows.append(Arrow(source=repo, target=pipeline.name, label=label, dashed=bool(label)))
        boxes[pipeline.name] = _box(pipeline, last.get(pipeline.name))
    return boxes, arrows


def _box(pipeline: Pipeline, job: Job | None) -> Box:
    if pipeline.stopped:
        return Box(title=pipeline.name, lines=("pipeline, stopped",), mood="waiting")
    if job is None:
        return Box(title=pipeline.name, lines=("pipeline, no job yet",))
    counts = {"done": job.processed, "skipped": job.skipped, "recovered": job.recovered}
    counts["failed"] = job.failed
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    counted = f"{told or '0 done'} of {job.total} datums" if job.total else "no datums"
    lines = (f"pipeline, last job: {job.state}", counted)
    return Box(title=pipeline.name, lines=lines, mood=MOODS.get(job.state, "busy"))
