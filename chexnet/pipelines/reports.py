"""An experiment's report: what the archive holds of it, by one job of ab-report."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from chexnet.adapters.pachyderm import Job, PachydermPipelines
from chexnet.data.bulk import write_if_new
from chexnet.errors import NotFound, Refused
from chexnet.experiments.observed import FEEDBACK, PREDICTIONS, wait_for_archive
from chexnet.experiments.registered import REPO, on_record
from chexnet.steps.ports import Bus, Store

PIPELINE, BRANCH = "ab-report", "report"
KINDS = ("json", "html", "png")
Show = Callable[[Job], None]


def report(
    bus: Bus,
    store: Store,
    pipelines: PachydermPipelines,
    model: str,
    show: Show,
    *,
    until: datetime,
) -> str:
    """Report on all experiments, those that have ended too; return the commit of ab-report.

    All that stands on the bus is archived first. Then the branches `report` of predictions,
    feedback and experiments move as one, which opens one job.

    Args:
        bus: of the pipeline.
        store: of the same.
        pipelines: of the same.
        model: whose experiments they are.
        show: told how far the job is.
        until: now.

    Raises:
        Refused: the job failed.
    """
    store.ensure(REPO)
    write_if_new(store, REPO, on_record(bus, store, model, until=until))
    wait_for_archive(bus, store)
    heads = {(repo, BRANCH): store.head(repo) or "" for repo in (PREDICTIONS, FEEDBACK, REPO)}
    if missing := [repo for (repo, _), head in heads.items() if not head]:
        rule = "A report needs predictions and reads in the archive."
        raise NotFound(f"{rule} Received: none in {', '.join(missing)}. Upload and read some.")
    opened = pipelines.move(heads)
    for job in pipelines.follow(PIPELINE, opened):
        show(job)
    if job.state != "success":
        rule = f"A report must end well. Received: job {opened}, {job.state}: {job.reason}."
        raise Refused(f"{rule} See: chexnet pipeline logs {PIPELINE} --job {opened}")
    return opened


def known(store: Store, experiment: str) -> bool:
    """Say whether an experiment has a report."""
    return store.head(PIPELINE) is not None and bool(
        store.list(PIPELINE, f"/{experiment}/report.json")
    )


def read(store: Store, experiment: str, kind: str, commit: str | None = None) -> bytes:
    """Return an experiment's report as json, html or png; raise NotFound."""
    return store.read(PIPELINE, f"/{experiment}/report.{kind}", commit)
