"""A cut: the curated data of this moment become a dataset, by one job."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from chexnet.adapters.pachyderm import Job, PachydermPipelines
from chexnet.data.assembly import REPORT, Report
from chexnet.data.curation import merge_reads
from chexnet.data.dataset import INDEX, Index
from chexnet.data.places import IMAGES, LABELS
from chexnet.errors import NotFound, Refused
from chexnet.inputs.base import Input
from chexnet.messages import decode_json
from chexnet.steps.ports import Store

DATASET, CURATED = "dataset", "curated"
WAITS = {"created", "starting"}  # States of a job that no runner has begun to work on.
PROGRESS = re.compile(r"(\d+) of (\d+) images")  # A line of the transform's log.
Show = Callable[[int, int | None, str], None]


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


def cut(
    store: Store,
    pipelines: PachydermPipelines,
    source: Input,
    show: Show,
    *,
    embargo: datetime | None = None,
    anew: bool = False,
) -> Cut:
    """Cut a dataset from all images and labels that there are.

    Images that are still on their way through the pipeline `images` are waited for. What readers
    recorded is written into `labels` first. Then images@curated and labels@curated move as one,
    which opens one job. Where nothing is new, the dataset is there already; a cut that was left
    while its job ran goes on with it, and one that failed is tried again.

    Args:
        store: of the pipeline.
        pipelines: of the same project.
        source: the pipeline's input.
        show: told how far the work is: what is done, of how many, and in which state.
        embargo: the start of the running experiment; what was read since is held back.
        anew: make one although nothing is new: the commits themselves were changed.

    Raises:
        NotFound: there are no images or no labels.
        Refused: a job failed.
    """
    settle(pipelines, show)
    merge_reads(store, source, embargo=embargo)
    heads = {(repo, CURATED): _head(store, repo) for repo in (IMAGES, LABELS)}
    last = next(iter(pipelines.jobs(DATASET, 1)), None)
    if last is None or not _stands(pipelines, heads):
        opened = pipelines.move(heads)
    elif last.state == "success" and not anew:
        return describe(store, last.id)
    else:
        opened = pipelines.run(DATASET, reprocess=anew).id if last.over else last.id
    for state in pipelines.follow(DATASET, opened):
        show(state.done, state.total or None, f"{DATASET}: {state.state}")
        if state.state not in WAITS:
            break
    said = ""
    for line in pipelines.logs(DATASET, opened, follow=True):
        if found := PROGRESS.fullmatch(line.text):
            show(int(found[1]), int(found[2]), DATASET)
        elif not line.text.startswith("["):  # The worker's own words, which the job's reason has.
            said = line.text
    _check(pipelines.wait(DATASET, opened), said)
    return describe(store, opened, new=True)


def settle(pipelines: PachydermPipelines, show: Show) -> None:
    """Wait for the images that are on their way; raise Refused if their job failed."""
    for job in pipelines.jobs(IMAGES, 1):
        state = job
        for state in pipelines.follow(IMAGES, job.id):
            show(state.done, state.total or None, f"{IMAGES}: {state.state}")
        _check(state)


def follow(pipelines: PachydermPipelines, show: Show) -> None:
    """Let `images` process its inputs as they are now, and wait until no cut has older ones.

    Raises:
        Refused: the job failed.
    """
    pipelines.run(IMAGES)
    settle(pipelines, show)
    for job in pipelines.jobs(DATASET, 1):
        for state in pipelines.follow(DATASET, job.id):
            show(state.done, state.total or None, f"{DATASET}: {state.state}")


def _check(job: Job, said: str = "") -> None:
    """Raise Refused unless a job went well: what it lacks would be missing unseen."""
    if job.state != "success":
        rule = "A dataset is cut by jobs that go well."
        received = f"Received: {job.state}, of {job.pipeline}: {said or job.reason or 'no reason'}."
        todo = f"See: chexnet pipeline logs {job.pipeline} --job {job.id}"
        raise Refused(f"{rule} {received} {todo}")


def _stands(pipelines: PachydermPipelines, heads: Mapping[tuple[str, str], str]) -> bool:
    """Return whether the branches hold already what they would be moved to."""
    for (repo, branch), head in heads.items():
        stands = pipelines.branch(repo, branch)
        if not stands or (stands != head and not pipelines.same(repo, stands, head)):
            return False
    return True


def every(store: Store, pipelines: PachydermPipelines, limit: int) -> Iterator[Cut]:
    """Yield the datasets that there are, the newest first; not those that a patient has left."""
    for job in pipelines.jobs(DATASET, limit):
        files = set(store.list(DATASET, "/", job.id)) if job.state == "success" else set()
        if {INDEX, f"/{REPORT}"} <= files:
            found = describe(store, job.id)
            if files.issuperset(shard.path for shard in found.index.shards):
                yield found


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
