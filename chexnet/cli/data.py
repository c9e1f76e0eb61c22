"""chexnet data: labelled images, and how they come in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chexnet.cli import nih
from chexnet.cli.progress import bar

if TYPE_CHECKING:
    from chexnet.data.labels import Labelled
    from chexnet.data.report import Report

app = typer.Typer(no_args_is_help=True, help="Bring labelled images in, or make some to try with.")
app.add_typer(nih.app, name="nih")


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
    unknown. With a column split (train, validation, test) patients are divided as it says, else by
    hash. The patient is kept as it stands there, and anyone who reads the repos sees it: it must be
    a pseudonym, never a real id, or empty: each image is then taken for a patient of its own.

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
        sole_writer(settings.lock("labels")),
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


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Show the imports that datasets are cut from.

    Example: chexnet data list
    """
    from msgspec import to_builtins
    from rich.console import Console
    from rich.table import Table

    from chexnet.adapters.pachyderm import PachydermStore
    from chexnet.data.imports import every
    from chexnet.settings import Settings

    settings = Settings()
    found = every(PachydermStore(settings.store, settings.pipeline))
    if as_json:
        typer.echo(json.dumps(to_builtins(found)))
        return
    table = Table("import", "labelled", "images")
    for one in found:
        table.add_row(one.name, f"{one.labelled:,}", f"{one.images:,}")
    Console().print(table)


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="Of the import.")],
    images: Annotated[
        bool, typer.Option("--images", help="Its images leave repo nih too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Take an import out of the datasets that are cut from now on; its table leaves repo labels.

    Its images stay, unlabelled, unless --images is given. To bring it back, import it again.
    Datasets and models that were made with it keep it; chexnet forget takes a patient out of all.

    Example: chexnet data remove phantoms
    """
    from msgspec import to_builtins

    from chexnet.adapters.pachyderm import PachydermStore
    from chexnet.data import imports
    from chexnet.runtime.archiver import sole_writer
    from chexnet.settings import Settings

    settings = Settings()
    store = PachydermStore(settings.store, settings.pipeline)
    with sole_writer(settings.lock("labels")):
        gone = imports.remove(store, name, images=images)
    if as_json:
        typer.echo(json.dumps(to_builtins(gone)))
        return
    typer.echo(f"Took out {name}: {gone.labelled:,} labelled images.")
    typer.echo("Make a dataset of what is left with: chexnet dataset cut")


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="Images' folder with labels.csv.")],
    out: Annotated[
        Path | None, typer.Option(help="A folder for report.json and report.png.")
    ] = None,
    input_: Annotated[str, typer.Option("--input", help="Whose labels they have.")] = "chest_xray",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Say what labelled images are: findings by split, what comes together, sex, age and view.

    Example: chexnet data report /data/nih --out report
    """
    from msgspec import to_builtins

    from chexnet.data.figures import figure
    from chexnet.data.labels import LABELS_FILE, read_labels
    from chexnet.data.report import report as count
    from chexnet.errors import BadInput
    from chexnet.inputs.base import Limits, load

    source = load(input_)

    def image_id(row: Labelled) -> str:
        try:
            return source.clean(row.path.read_bytes(), Limits()).image_id
        except (BadInput, OSError):
            return ""

    rows = read_labels(folder / LABELS_FILE, source.labels)
    found = count(rows, source.labels, image_id)
    told = json.dumps(to_builtins(found), indent=1)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "report.json").write_text(told)
        (out / "report.png").write_bytes(figure(found, folder.resolve().name))
    if as_json:
        typer.echo(told)
        return
    _show(found)
    if out is not None:
        typer.echo(f"Wrote report.json and report.png into {out}.")


def _show(found: Report) -> None:
    from rich.console import Console
    from rich.table import Table

    from chexnet.data.splits import SPLITS

    table = Table("finding", *SPLITS, "in all", "of known", title="Images with a finding")
    for column in table.columns[1:]:
        column.justify = "right"
    for label, counts in found.positive.items():
        total = sum(counts.values())
        share = f"{total / found.known[label]:.1%}" if found.known[label] else "-"
        each = (f"{counts.get(split, 0):,}" for split in SPLITS)
        table.add_row(label, *each, f"{total:,}", share)
    each = (f"{found.splits.get(split, 0):,}" for split in SPLITS)
    table.add_row("all images", *each, f"{found.images:,}", "", end_section=True)
    console = Console()
    console.print(table)
    typer.echo(f"{found.images:,} images of {found.patients:,} patients; {found.none:,} have none.")
    for name, counts in found.details.items():
        typer.echo(f"{name}: {', '.join(f'{key} {n:,}' for key, n in counts.items())}")
