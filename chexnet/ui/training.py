"""The training page: the pipelines with their state, the lines' runs, and what trains now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Protocol

from chexnet.adapters.pachyderm.jobs import Job, LogLine, Pipeline
from chexnet.errors import ChexnetError, ConfigError
from chexnet.models import card as cards
from chexnet.pipelines import specs
from chexnet.release import TRAINED
from chexnet.runtime import archived, dag, drawing
from chexnet.runtime.lineage import RUN
from chexnet.settings import Settings
from chexnet.training.progress import parse
from chexnet.ui import parts
from chexnet.ui.page import Act, Look, Page
from chexnet.ui.wiring import Wiring

LINES = tuple(name for name in specs.NAMES if name.startswith(TRAINED))
RUNS = 5  # Of each line, the newest.
JOBS = 12  # The newest of all, and TRAININGS of each line, which many others would push out.
TRAININGS = 3


class Pipelines(Protocol):
    """The pipelines as a page sees them; chexnet/adapters/pachyderm/pipelines.py fills it."""

    def every(self) -> list[Pipeline]:
        """Return the pipelines, upstream ones first."""

    def jobs(self, pipeline: str | None = None, limit: int = 20) -> list[Job]:
        """Return jobs, the newest first."""

    def logs(self, pipeline: str, job: str) -> Iterator[LogLine]:
        """Yield what a job's transforms have written so far."""


class Training(Page):
    """Shows how models come to be. What it shows of a job is what the job says of itself.

    Args:
        settings: of the pipeline; from the environment where it is left out.
        wiring: store and the like, instead of those that the settings name.
    """

    _esm = parts.module("chart.js", "page.js", "training.js")

    def __init__(self, settings: Settings | None = None, *, wiring: Wiring | None = None) -> None:
        self._made = wiring or Wiring.of(settings or Settings())
        if self._made.pipelines is None:
            rule = "The training page needs a wiring with pipelines."
            raise ConfigError(f"{rule} Received: one without. Let the settings make it.")
        self._of = self._made.pipelines
        self._runs: dict[tuple[str, str], dict[str, Any]] = {}  # A finished commit never changes.
        super().__init__(f"{self._made.model} training")

    def sections(self) -> Mapping[str, Look]:
        """Return what the page looks at."""
        return {"pipelines": self._pipelines, "runs": self._lines, "jobs": self._jobs}

    def act(self, message: Mapping[str, Any]) -> Act | None:
        """Return nothing: this page only shows."""
        del message
        return None

    def _pipelines(self) -> dict[str, Any]:
        found = self._of.every()
        last = {p.name: job for p in found for job in self._of.jobs(p.name, 1)}
        picture = drawing.draw(*dag.graph(found, last), "", "svg").decode()
        told = [
            f"{p.name}: {'stopped' if p.stopped else last[p.name].state if p.name in last else '-'}"
            for p in found
        ]
        return {"picture": picture, "told": told, "tensorboard": self._made.tensorboard_url or ""}

    def _lines(self) -> dict[str, Any]:
        runs = [run for name in LINES for run in self._of_line(name)]
        return {"runs": sorted(runs, key=lambda run: str(run["at"]), reverse=True)}

    def _of_line(self, repo: str) -> Iterable[dict[str, Any]]:
        for commit in islice(self._made.store.commits(repo), RUNS):
            if (repo, commit) not in self._runs:
                self._runs[repo, commit] = self._run(repo, commit)
            if self._runs[repo, commit]:
                yield self._runs[repo, commit]

    def _run(self, repo: str, commit: str) -> dict[str, Any]:
        """Return what a commit of a line says of its training; {} of one that holds none."""
        run = archived.json(self._made.store, repo, RUN, commit)
        if "missing" in run:
            return {}
        try:
            path = f"{archived.RELEASED}/{cards.CARD}"
            card = cards.parse(self._made.store.read(repo, path, commit))
        except ChexnetError:
            return {}
        return {
            "name": f"{repo}@{commit}",
            "line": repo.removeprefix(TRAINED),
            "config": run.get("config", ""),
            "network": card.network,
            "dataset": card.dataset,
            "seconds": run.get("seconds", 0.0),
            "at": f"{card.created_at.astimezone():%Y-%m-%d %H:%M}",
            "macro": {split: figures["macro_auroc"] for split, figures in card.metrics.items()},
            "history": run.get("history", {}),
        }

    def _jobs(self) -> dict[str, Any]:
        newest = [
            *self._of.jobs(None, JOBS),
            *(j for n in LINES for j in self._of.jobs(n, TRAININGS)),
        ]
        jobs = {(job.pipeline, job.id): job for job in newest}.values()
        return {
            "jobs": [
                {
                    "pipeline": job.pipeline,
                    "id": job.id,
                    "state": job.state,
                    "reason": job.reason,
                    "at": f"{job.created.astimezone():%d %b %H:%M:%S}",
                    "datums": f"{job.done} of {job.total}" if job.total else "",
                    "progress": self._progress(job),
                }
                for job in sorted(jobs, key=lambda job: job.created, reverse=True)
            ]
        }

    def _progress(self, job: Job) -> dict[str, Any] | None:
        """Return how far a training is that is running."""
        if job.over or job.pipeline not in LINES:
            return None
        said = [parse(line.text) for line in self._of.logs(job.pipeline, job.id)]
        if not (known := [now for now in said if now is not None]):
            return None
        done = (known[-1].epoch - 1) * known[-1].steps + known[-1].step
        return {"share": done / (known[-1].epochs * known[-1].steps), "told": str(known[-1])}
