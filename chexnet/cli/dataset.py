"""chexnet dataset: what training learns from, cut from all that is in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chexnet.cli.progress import Advance, bar

if TYPE_CHECKING:
    from chexnet.adapters.pachyderm import Job
    from chexnet.pipelines.cut import Cut

app = typer.Typer(no_args_is_help=True, help="Cut datasets from all that is in, and look at them.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.command()
def cut(as_json: Json = False) -> None:
    """Make a dataset of all images and labels that there are now, by one job.

    Uploads alone open no dataset: they move images@master, and this moves images@curated and
    labels@curated together. What readers recorded, blinded or as a reference, becomes labels; the
    newest word on each finding counts. A patient's images are in one split for ever: 70 % of
    patients train, 10 % validate, 20 % test. An experiment leaves out the patients that one of its
    models was trained on, and says how many.

    Example: chexnet dataset cut
    """
    from functools import partial

    from chexnet.adapters.pachyderm import PachydermPipelines, PachydermStore
    from chexnet.inputs.base import load
    from chexnet.pipelines.cut import cut as make
    from chexnet.settings import Settings

    settings = Settings()
    store = PachydermStore(settings.store, settings.pipeline)
    pipelines = PachydermPipelines(settings.store, settings.pipeline)
    with bar("Cutting a dataset", show=not as_json) as advance:
        made = make(store, pipelines, load(settings.input), partial(_show, advance))
    if as_json:
        typer.echo(json.dumps(_plain(made)))
        return
    if not made.new:
        typer.echo(f"Nothing is new since {made.name}.")
    _tell(made)
    typer.echo(f"Train on it with: chexnet train --line a --dataset {made.name}")


@app.command()
def show(
    commit: Annotated[str, typer.Argument(help="dataset@commit; the newest without one.")] = "",
    as_json: Json = False,
) -> None:
    """Show what a dataset holds, and what was left out.

    Example: chexnet dataset show
    """
    from chexnet.adapters.pachyderm import PachydermStore
    from chexnet.data.checkout import resolve
    from chexnet.pipelines.cut import DATASET, describe
    from chexnet.settings import Settings

    settings = Settings()
    store = PachydermStore(settings.store, settings.pipeline)
    _, found = resolve(store, commit or DATASET)
    made = describe(store, found)
    if as_json:
        typer.echo(json.dumps(_plain(made)))
        return
    _tell(made)


def _show(advance: Advance, job: Job) -> None:
    advance(done=job.done, total=job.total or None, told=f"{job.pipeline}: {job.state}")


def _tell(made: Cut) -> None:
    counts = ", ".join(f"{split} {n}" for split, n in sorted(made.index.images.items()))
    typer.echo(f"{made.name}: {made.report.images} images ({counts}).")
    left = {
        "have no label": made.report.unlabelled,
        "are in it already": made.report.twice,
        "are of another shape": made.report.wrong_shape,
    }
    for why, count in left.items():
        if count:
            typer.echo(f"Left out: {count} images that {why}.")
    if made.report.absent:
        typer.echo(f"{made.report.absent} labelled images are not there.")


def _plain(made: Cut) -> dict[str, Any]:
    from msgspec import to_builtins

    return {
        "dataset": made.name,
        "new": made.new,
        "images": made.index.images,
        "units": made.index.units,
        "report": to_builtins(made.report),
    }
