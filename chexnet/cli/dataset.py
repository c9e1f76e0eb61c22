"""chexnet dataset: what training learns from, cut from all that is in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chexnet.cli.progress import Advance, bar

if TYPE_CHECKING:
    from chexnet.pipelines.cut import Cut

app = typer.Typer(no_args_is_help=True, help="Cut datasets from all that is in, and look at them.")
LEFT = {  # Of the report.
    "unlabelled": "have no label",
    "twice": "are in it already",
    "wrong_shape": "are of another shape",
}
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.command()
def cut(as_json: Json = False) -> None:
    """Make a dataset of all images and labels that there are now, by one job.

    Uploads alone open no dataset: they move images@master, and this moves images@curated and
    labels@curated together. What readers recorded becomes labels first, as chexnet labels merge
    does it. A finding on which two imports disagree is unknown. A patient's images are in one split
    for ever: 70 % of patients train, 10 % validate, 20 % test.

    An experiment leaves out the patients that one of its models was trained on, and says how many.
    Interrupted, the job goes on, and the next cut shows it.

    Example: chexnet dataset cut
    """
    from functools import partial

    from chexnet.adapters.pachyderm import PachydermPipelines
    from chexnet.cli.labels import merging
    from chexnet.inputs.base import load
    from chexnet.pipelines.cut import cut as make

    with (
        merging(show=not as_json) as at,
        bar("Cutting a dataset", show=not as_json) as advance,
    ):
        settings = at.settings
        pipelines = PachydermPipelines(settings.store, settings.pipeline)
        show = partial(_show, advance)
        made = make(at.store, pipelines, load(settings.input), show, embargo=at.embargo())
    if as_json:
        typer.echo(json.dumps(_plain(made)))
        return
    if not made.new:
        typer.echo(f"Nothing is new since {made.name}.")
    _tell(made)
    typer.echo(f"Train on it with: chexnet train --line a --dataset {made.name}")


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, help="How many jobs to look at.")] = 20,
    as_json: Json = False,
) -> None:
    """Show the datasets that were cut, the newest first.

    Example: chexnet dataset list
    """
    from rich.table import Table

    from chexnet.adapters.pachyderm import PachydermPipelines, PachydermStore
    from chexnet.cli import tables
    from chexnet.data.splits import SPLITS
    from chexnet.pipelines.cut import every
    from chexnet.settings import Settings

    settings = Settings()
    store = PachydermStore(settings.store, settings.pipeline)
    found = every(store, PachydermPipelines(settings.store, settings.pipeline), limit)
    if as_json:
        typer.echo(json.dumps([_plain(made) for made in found]))
        return
    table = Table("dataset", "images", *SPLITS, "units", "left out")
    for made in found:
        counts = (str(made.index.images.get(split, 0)) for split in SPLITS)
        units = str(sum(made.index.units.values()))
        left = sum(getattr(made.report, kind) for kind in LEFT)
        table.add_row(made.name, str(made.report.images), *counts, units, str(left))
    tables.show(table)


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


def _show(advance: Advance, done: int, total: int | None, told: str) -> None:
    advance(done=done, total=total, told=told)


def _tell(made: Cut) -> None:
    counts = ", ".join(f"{split} {n}" for split, n in sorted(made.index.images.items()))
    typer.echo(f"{made.name}: {made.report.images} images ({counts}).")
    if made.report.read:
        typer.echo(f"Readers recorded findings of {made.report.read} of them.")
    for kind, why in LEFT.items():
        if count := getattr(made.report, kind):
            typer.echo(f"Left out: {count} images that {why}.")
    if made.report.absent:
        typer.echo(f"{made.report.absent} labelled images are not there.")
    if made.report.disputed:
        typer.echo(
            f"Imports disagree on {made.report.disputed} images: those findings are unknown."
        )


def _plain(made: Cut) -> dict[str, Any]:
    from msgspec import to_builtins

    return {
        "dataset": made.name,
        "new": made.new,
        "images": made.index.images,
        "units": made.index.units,
        "report": to_builtins(made.report),
    }
