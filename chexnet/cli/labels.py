"""chexnet labels: what readers recorded, for the next training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from chexnet.cli.progress import bar

if TYPE_CHECKING:
    from chexnet.cli.desk import Desk

app = typer.Typer(no_args_is_help=True, help="Turn readers' findings into labels.")


@app.command()
def merge(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Commit what readers recorded, blinded or as a reference, to the repo `labels`.

    The newest word on each finding counts, and it counts before an import's; unsure is unknown.
    Assisted reads don't count: a model would learn what a model had said. While an experiment runs,
    what was read since its start is held back until it ends, as it may be the evidence. Who said
    what is kept beside it, in /who/readers.csv. chexnet dataset cut does the same by itself.

    Example: chexnet labels merge
    """
    from msgspec import to_builtins

    from chexnet.data.curation import merge_reads
    from chexnet.inputs.base import load

    with merging(show=not as_json) as at:
        made = merge_reads(at.store, load(at.settings.input), embargo=at.embargo())
    if as_json:
        typer.echo(json.dumps(to_builtins(made)))
        return
    typer.echo(f"{made.reads} reads by {made.readers} readers label {made.images} images.")
    if made.held:
        typer.echo(f"Held back until the running experiment ends: {made.held} reads.")
    if made.commit:
        typer.echo(f"Committed labels@{made.commit}. Cut them into a dataset: chexnet dataset cut")


@contextmanager
def merging(*, show: bool) -> Iterator[Desk]:
    """Yield the desk as the sole writer of `labels`, when all reads on the bus are archived."""
    from chexnet.cli.desk import desk
    from chexnet.experiments.observed import ARCHIVES, FEEDBACK, wait_for_archive
    from chexnet.runtime.archiver import sole_writer

    with desk() as at, sole_writer(at.settings.lock("labels")):
        with bar("Looking", show=show) as advance:
            advance(0, told="reads that stand on the bus go into the archive first")
            wait_for_archive(at.bus, at.store, {FEEDBACK: ARCHIVES[FEEDBACK]})
        yield at
