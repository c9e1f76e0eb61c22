"""A cut: the curated data of this moment become a dataset, by one job."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Struct

from chexnet.adapters.pachyderm import Job, PachydermPipelines
from chexnet.data.assembly import REPORT, Report
from chexnet.data.curation import write_readers
from chexnet.data.dataset import INDEX, Index
from chexnet.data.places import IMAGES, LABELS
from chexnet.errors import NotFound, Refused
from chexnet.inputs.base import Input
from chexnet.messages import decode_json
from chexnet.steps.ports import Store

DATASET, CURATED = "dataset", "curated"
Show = Callable[[Job], None]


class Cut(Struct, frozen=True, kw_only=True):
    """A dataset's commit, what is in it, and whether it is new."""

    commit: str
    index: Index
    report: Report
    new: bool

    @property
    def name(self) -> str:
        """As `chexnet train` takes it."""
        return f"{DATASET}@{self.commit}"


def cut(store: Store, pipelines: PachydermPipelines, source: Input, show: Show) -> Cut:
    """Cut a dataset from all images and labels that there are.

    Images that are still on their way through the pipeline `images` are waited for. What readers
    recorded is written into `labels` first. Then images@curated and labels@curated move as one,
    which opens one job; if both stand where they would go, the dataset is there already.

    Args:
        store: of the pipeline.
        pipelines: of the same project.
        source: the pipeline's input.
        show: told how far a job is that is waited for.

    Raises:
        NotFound: there are no images or no labels.
        Refused: the job failed.
    """
    if running := [job for job in pipelines.jobs(IMAGES, 1) if not job.over]:
        for state in pipelines.follow(IMAGES, running[0].id):
            show(state)
    write_readers(store, source)
    heads = {(repo, CURATED): _head(store, repo) for repo in (IMAGES, LABELS)}
    stands = {place: pipelines.branch(*place) for place in heads}
    newest = store.head(DATASET)
    if stands == heads and newest and store.list(DATASET, INDEX, newest):
        return describe(store, newest, new=False)
    opened = pipelines.move(heads)
    for state in pipelines.follow(DATASET, opened):
        show(state)
    if state.state != "success":
        rule = f"A cut must end well. Received: job {opened}, {state.state}: {state.reason}."
        raise Refused(f"{rule} See: chexnet pipeline logs {DATASET} --job {opened}")
    return describe(store, opened, new=True)


def _head(store: Store, repo: str) -> str:
    commit = store.head(repo)
    if commit is None or not store.list(repo, "/", commit):
        rule = f"A dataset is cut from images and labels. Received: none in repo {repo}."
        raise NotFound(f"{rule} Bring some in with: chexnet data import, or upload and read some.")
    return commit


def describe(store: Store, commit: str, *, new: bool = False) -> Cut:
    """Return what a dataset's commit holds; raise NotFound."""
    return Cut(
        commit=commit,
        index=decode_json(store.read(DATASET, INDEX, commit), Index),
        report=msgspec.json.decode(store.read(DATASET, f"/{REPORT}", commit), type=Report),
        new=new,
    )
