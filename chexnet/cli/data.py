"""chexnet data: labelled images, and how they come in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from chexnet.cli.progress import bar

app = typer.Typer(no_args_is_help=True, help="Bring labelled images in, or make some to try with.")


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
    typer.echo(f"Bring them in with: chexnet data import {out}")


@app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="Images and their labels.csv.")],
    name: Annotated[
        str, typer.Option(help="Of the import; that of the folder if none is given.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Bring labelled images in, in bulk: cleaned into repo nih, their labels into repo labels.

    labels.csv has the columns file, patient and one for each finding: 1 present, 0 absent, empty
    unknown. The patient is kept as it stands there, and anyone who reads the repos sees it: it must
    be a pseudonym, never a real id, or empty: each image is then taken for a patient of its own.

    The same name again sends only what is new and removes what has left, so that an import which
    was interrupted goes on where it was. A file that can't be read is named, and the others go in.

    Example: chexnet data import /tmp/phantoms
    """
    import time

    from chexnet.adapters.pachyderm import PachydermStore
    from chexnet.data.bulk import import_folder
    from chexnet.data.importcache import Cache
    from chexnet.data.labels import LABELS_FILE, read_labels
    from chexnet.inputs.base import load
    from chexnet.runtime.archiver import sole_writer
    from chexnet.settings import Settings

    settings = Settings()
    source = load(settings.input)
    rows = read_labels(folder / LABELS_FILE, source.labels)
    store = PachydermStore(settings.store, settings.pipeline)
    began, called = time.monotonic(), name or folder.resolve().name.lower()
    with (
        sole_writer(settings.state / "run" / f"{settings.pipeline}-labels.lock"),
        Cache(settings.state / "imports" / f"{settings.pipeline}-{called}.jsonl") as cache,
        bar("Importing images", len(rows), show=not as_json) as advance,
    ):
        done = import_folder(
            store,
            source,
            rows,
            name=called,
            limits=settings.limits.of_input,
            cache=cache,
            report=advance,
        )
    seconds = time.monotonic() - began
    if as_json:
        failed = [{"file": one.file, "reason": one.reason} for one in done.failed]
        told = {"name": called, "images": done.images, "sent": done.sent, "removed": done.removed}
        typer.echo(json.dumps({**told, "failed": failed, "seconds": round(seconds, 1)}))
        return
    for one in done.failed:
        typer.secho(f"Left out {one.file}: {one.reason}", err=True, fg="yellow")
    gone = f", {done.removed} were removed" if done.removed else ""
    rate = f"{len(rows) / seconds:.0f} files a second"
    typer.echo(f"{called} holds {done.images} images; {done.sent} are new{gone} ({rate}).")
    typer.echo("Make a dataset of all that is in with: chexnet dataset cut")
