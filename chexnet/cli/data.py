"""chexnet data: images to try with, and datasets to train on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from chexnet.cli.progress import bar

app = typer.Typer(no_args_is_help=True, help="Make phantoms, and datasets to train on.")


@app.command()
def phantoms(
    *,
    out: Annotated[Path, typer.Argument(help="The folder to write into.")],
    count: Annotated[int, typer.Option(min=1, help="How many images.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Another seed has other patients.")] = 0,
    contrast: Annotated[float, typer.Option(min=0, help="Of the signs; 1 is hard enough.")] = 1.0,
    size: Annotated[int, typer.Option(min=64, max=4096, help="Rows and columns.")] = 512,
    visits: Annotated[int, typer.Option(min=1, help="Images of a patient at most.")] = 6,
) -> None:
    """Write synthetic chest images and labels.csv. They are nobody's X-rays, and say so.

    Example: chexnet data phantoms /tmp/phantoms --count 3000 --seed 1
    """
    from chexnet.data import phantoms as drawing

    planned = drawing.plan(count, seed, visits=visits)
    with bar("Drawing phantoms", count) as advance:
        for _ in drawing.write(out, planned, contrast=contrast, size=size):
            advance()
    patients = len({p.patient for p in planned})
    typer.echo(f"Wrote {count} phantoms of {patients} synthetic patients and labels.csv to {out}.")
    typer.echo(f"Make a dataset of them with: chexnet data build {out}")


@app.command()
def build(
    folder: Annotated[Path, typer.Argument(help="Images and their labels.csv.")],
    into: Annotated[str, typer.Option(help="The repo to commit to.")] = "dataset",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Commit labelled images as a dataset, in place of the one before.

    labels.csv has the columns file, patient (a pseudonym, or empty) and one for each finding: 1
    present, 0 absent, empty unknown. A patient's images are in one split: 70 % of patients train,
    10 % tune, 20 % test.

    Example: chexnet data build /tmp/phantoms
    """
    from chexnet.adapters.pachyderm import PachydermStore
    from chexnet.data import dataset
    from chexnet.data.labels import LABELS_FILE, read_labels
    from chexnet.inputs.base import load
    from chexnet.settings import Settings

    settings = Settings()
    source = load(settings.input)
    rows = read_labels(folder / LABELS_FILE, source.labels)
    store = PachydermStore(settings.store, settings.pipeline)
    with bar("Reading images", len(rows), show=not as_json) as advance:
        built = dataset.build(
            store, into, source, rows, limits=settings.limits.of_input, report=advance
        )
    if as_json:
        typer.echo(json.dumps(dataset.summary(built, into)))
        return
    for failed in built.failed:
        typer.secho(f"Left out {failed.file}: {failed.reason}", err=True, fg="yellow")
    counts = ", ".join(f"{split} {n}" for split, n in sorted(built.index.images.items()))
    typer.echo(f"Committed {sum(built.index.images.values())} images ({counts}).")
    typer.echo(f"Train on them with: chexnet train --line a --dataset {into}@{built.commit}")
