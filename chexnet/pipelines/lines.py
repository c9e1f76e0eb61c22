"""Training lines: a recipe on a dataset becomes one job of the line's pipeline."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from chexnet.adapters.pachyderm import Job, PachydermPipelines
from chexnet.data.checkout import resolve
from chexnet.errors import NotFound, Refused
from chexnet.models import card as cards
from chexnet.models.card import Card
from chexnet.pipelines import specs
from chexnet.release import TRAINED
from chexnet.steps.ports import Store
from chexnet.training import initial
from chexnet.training.params import PARAMS, Params

DATASET = "dataset"
RELEASE = "/release"
NAMES = tuple(name.removeprefix(TRAINED) for name in specs.NAMES if name.startswith(TRAINED))


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


def check(line: str, known: Iterable[str]) -> None:
    """Raise NotFound unless `line` is one of those that are known."""
    if line not in (lines := sorted(known)):
        rule = f"A line must be one that there is: {', '.join(lines) or 'none yet'}."
        raise NotFound(f"{rule} Received: {line!r}. Correct --line, or see: chexnet pipeline list")


def trained(pipelines: PachydermPipelines) -> list[str]:
    """Return the lines that a pipeline trains."""
    names = (pipeline.name for pipeline in pipelines.every())
    return [name.removeprefix(TRAINED) for name in names if name.startswith(TRAINED)]


def start(
    store: Store,
    pipelines: PachydermPipelines,
    line: str,
    dataset: str,
    params: Params,
    weights: Path | None = None,
) -> Job:
    """Open the one job that trains `line` by `params` on `dataset`.

    Args:
        store: with the dataset.
        pipelines: of the same project.
        line: of the pipeline models-<line>.
        dataset: dataset@commit, or dataset, whose newest commit it is then.
        params: what goes into params-<line>.
        weights: what it begins with, if `params` says so; see `initial.check`.

    Raises:
        NotFound: there is no such dataset or line.
    """
    repo, commit = resolve(store, dataset)
    files = {f"/{PARAMS}": params.encode()}
    if weights is not None:
        files[f"/{initial.FILE}"] = weights.read_bytes()
    opened = pipelines.move({(repo, f"training-{line}"): commit}, {f"params-{line}": files})
    return pipelines.job(f"{TRAINED}{line}", opened)


def own(line: str) -> str:
    """Return the repo of a line that no job trains; raise Refused if a pipeline has it."""
    repo = f"{TRAINED}{line}"
    if line in NAMES:
        taken = ", ".join(f"{TRAINED}{name}" for name in NAMES)
        rule = "A model that no job made must have a line of its own;"
        raise Refused(f"{rule} pipelines write {taken}. Received: {line!r}. Call it otherwise.")
    return repo


def bring(store: Store, line: str, folder: Path) -> str:
    """Commit a model that was made elsewhere to a line of its own; return the commit.

    Args:
        store: of the pipeline.
        line: no pipeline's, since a pipeline alone writes its repo.
        folder: with `release/` and what is said of it, as a job of a line leaves it.

    Raises:
        Refused: a pipeline has this line.
    """
    repo = own(line)
    files = (path for path in folder.rglob("*") if path.is_file())
    store.ensure(repo)
    made = {f"/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in files}
    return store.write(repo, made)


def finished(store: Store, pipelines: PachydermPipelines, job: Job) -> Trained:
    """Wait for the job's end and return what it left; raise Refused if it failed."""
    done = pipelines.wait(job.pipeline, job.id)
    if done.state != "success":
        rule = f"A training must end well. Received: job {done.id} of {done.pipeline}, {done.state}"
        todo = f"See: chexnet pipeline logs {done.pipeline} --job {done.id}"
        raise Refused(f"{rule}: {done.reason}. {todo}")
    card = cards.parse(store.read(done.pipeline, f"{RELEASE}/{cards.CARD}", done.id))
    return Trained(repo=done.pipeline, commit=done.id, card=card, seconds=done.seconds)
