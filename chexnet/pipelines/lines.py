"""Training lines: a recipe on a dataset becomes one job of the line's pipeline."""

from __future__ import annotations

from msgspec import Struct

from chexnet.adapters.pachyderm import Job, PachydermPipelines
from chexnet.data.checkout import resolve
from chexnet.errors import Refused
from chexnet.models import card as cards
from chexnet.models.card import Card
from chexnet.steps.ports import Store
from chexnet.training.params import PARAMS, Params

DATASET = "dataset"
RELEASE = "/release"


class Trained(Struct, frozen=True, kw_only=True):
    """What a job of a line left."""

    repo: str
    commit: str
    card: Card
    seconds: float

    @property
    def name(self) -> str:
        """The commit, as `chexnet release` takes it."""
        return f"{self.repo}@{self.commit}"


def start(
    store: Store, pipelines: PachydermPipelines, line: str, dataset: str, params: Params
) -> Job:
    """Open the one job that trains `line` by `params` on `dataset`.

    Args:
        store: with the dataset.
        pipelines: of the same project.
        line: of the pipeline models-<line>.
        dataset: dataset@commit, or dataset, whose newest commit it is then.
        params: what goes into params-<line>.

    Raises:
        NotFound: there is no such dataset or line.
    """
    repo, commit = resolve(store, dataset)
    opened = pipelines.move(
        {(repo, f"training-{line}"): commit},
        files={f"params-{line}": {f"/{PARAMS}": params.encode()}},
    )
    return pipelines.job(f"models-{line}", opened)


def finished(store: Store, pipelines: PachydermPipelines, job: Job) -> Trained:
    """Wait for the job's end and return what it left; raise Refused if it failed."""
    done = pipelines.wait(job.pipeline, job.id)
    if done.state != "success":
        rule = f"A training must end well. Received: job {done.id} of {done.pipeline}, {done.state}"
        todo = f"See: chexnet pipeline logs {done.pipeline} --job {done.id}"
        raise Refused(f"{rule}: {done.reason}. {todo}")
    card = cards.parse(store.read(done.pipeline, f"{RELEASE}/{cards.CARD}", done.id))
    return Trained(repo=done.pipeline, commit=done.id, card=card, seconds=done.seconds)
