"""chexnet data nih: ChestX-ray14, from NIH's archives to a folder that can be imported."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from chexnet.cli.progress import bar

app = typer.Typer(
    no_args_is_help=True, help="NIH ChestX-ray14: 112,120 films with mined labels, 45 GB."
)
Folder = Annotated[Path, typer.Argument(help="Where the archives and NIH's lists are.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


class Kind(StrEnum):
    """Whose split it is."""

    OFFICIAL = "official"
    PAPER = "paper"


@app.command()
def download(
    folder: Folder,
    only: Annotated[list[int], typer.Option(min=1, max=12, help="These archives alone.")] = [],  # noqa: B006
    at_once: Annotated[int, typer.Option(min=1, max=12, help="Archives at the same time.")] = 4,
    as_json: Json = False,
) -> None:
    """Download the archives; interrupted, it goes on where it was. Each is checked by its MD5.

    NIH's lists have no direct links: download them from the site into the same folder.

    Examples: chexnet data nih download /data/nih; chexnet data nih download /data/nih --only 12
    """
    from chexnet.data.nih import archives
    from chexnet.data.nih.download import download as bring
    from chexnet.data.nih.verify import missing

    chosen = [a for n, a in enumerate(archives.ARCHIVES, 1) if not only or n in only]
    total, failed = sum(a.bytes for a in chosen), dict[str, str]()
    with bar("Downloading MB", total // 2**20, show=not as_json) as advance:
        came = 0

        def told(count: int) -> None:
            nonlocal came
            came += count
            advance(done=came // 2**20)

        for done in bring(chosen, folder, told, at_once=at_once):
            if done.reason:
                failed[done.archive.name] = done.reason
                typer.secho(f"Not there: {done.reason}", err=True, fg="red")
            elif not as_json:
                typer.echo(f"{done.archive.name} is there, as published.")
    left = missing(folder)
    if as_json:
        came = len(chosen) - len(failed)
        typer.echo(json.dumps({"archives": came, "failed": failed, "missing": left}))
    elif left:
        typer.echo(f"Still to download from {archives.SITE}: {', '.join(left)}")
    if failed:
        raise typer.Exit(1)
    if not as_json:
        typer.echo(f"Make them ready with: chexnet data nih prepare {folder}")


@app.command()
def lists(folder: Folder, as_json: Json = False) -> None:
    """Say which of NIH's lists are still to be downloaded by hand. Exit 1 without those needed.

    The boxes are for localisation alone: without them nothing else is missing.

    Example: chexnet data nih lists /data/nih
    """
    from chexnet.data.nih.archives import BOXES, SITE
    from chexnet.data.nih.verify import missing

    left = missing(folder)
    if as_json:
        typer.echo(json.dumps({"missing": left, "site": SITE}))
    if needed := [name for name in left if name != BOXES]:
        rule = f"{folder} must have NIH's lists, which have no direct links."
        todo = f"Download them from {SITE} into it, and run the same again."
        typer.secho(f"{rule} Missing: {', '.join(needed)}. {todo}", err=True, fg="red")
        raise typer.Exit(1)
    if not as_json:
        typer.echo(f"Not there: {BOXES}, for localisation alone." if left else "All are there.")


@app.command()
def verify(folder: Folder, as_json: Json = False) -> None:
    """Check archives and lists against the sizes and digests as published. Exit 1 if one differs.

    The boxes are for localisation alone: that they are not there is said, and no fault.

    Example: chexnet data nih verify /data/nih
    """
    from chexnet.data.nih.archives import BOXES
    from chexnet.data.nih.verify import faults

    with bar("Checking", show=not as_json) as advance:
        found = faults(folder, lambda total, name: advance(total=total, told=name))
    if as_json:
        typer.echo(json.dumps(found))
    else:
        for name, reason in found.items():
            typer.secho(reason or f"{name} is as published.", fg="red" if reason else None)
    optional = not (folder / BOXES).exists()
    if any(reason for name, reason in found.items() if not (optional and name == BOXES)):
        raise typer.Exit(1)


@app.command()
def prepare(
    folder: Folder,
    split: Annotated[
        Kind, typer.Option(help="official: NIH's lists. paper: 70/10/20 of patients at random.")
    ] = Kind.OFFICIAL,
    seed: Annotated[int, typer.Option(min=0, help="Of the random part.")] = 0,
    as_json: Json = False,
) -> None:
    """Unpack the archives and write labels.csv with the split, for chexnet data import.

    It takes what archives there are. What was unpacked before stays, so that it can be interrupted.
    Members that are no films, and films that the table does not know, are named and left out.

    Example: chexnet data nih prepare /data/nih --split paper --seed 1
    """
    from msgspec import to_builtins

    from chexnet.data.nih import splits
    from chexnet.data.nih.archives import TEST, TRAIN_VAL
    from chexnet.data.nih.prepare import entries, unpack
    from chexnet.data.nih.prepare import prepare as write
    from chexnet.evaluation.tables import names
    from chexnet.inputs.labels import FINDINGS

    said = entries(folder)
    if split == Kind.PAPER:
        divided = splits.paper(said, seed)
    else:
        divided = splits.official(said, names(folder / TRAIN_VAL), names(folder / TEST), seed)
    with bar("Unpacking", show=not as_json) as advance:
        failed = unpack(folder, lambda name: advance(told=name))
    done = write(folder, said, divided, FINDINGS, failed)
    if as_json:
        typer.echo(json.dumps(to_builtins(done)))
        return
    for one in done.failed:
        typer.secho(f"Left out {one.file}: {one.reason}", err=True, fg="yellow")
    counts = ", ".join(f"{name} {count:,}" for name, count in done.splits.items())
    typer.echo(f"{done.films:,} films of {done.patients:,} patients ({counts}).")
    if done.absent:
        typer.echo(f"{done.absent:,} films of NIH's table are not there.")
    typer.echo(f"Bring them in with: chexnet data import {folder} --name nih")
