"""chexnet upload: files into the pipeline."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

if TYPE_CHECKING:
    from datetime import datetime

app = typer.Typer()
REJECTED, FAR = "rejected", " *"
Paths = Annotated[list[Path], typer.Argument(exists=True, help="Files, folders or zips.")]


@app.command()
def upload(
    paths: Paths,
    patient: Annotated[
        str | None, typer.Option(help="Whose images these are; only the gateway sees it.")
    ] = None,
    patients: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="A CSV file with columns file, patient."),
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait until each is predicted or rejected.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Send images to the gateway, which removes the patient's identity.

    What it refuses is told with the reason, and the others go on; then the exit code is 1. With
    --wait the table says which finding each image most probably shows.

    Examples:
        chexnet upload film.dcm --wait
        chexnet upload folder/ --json > uploads.json
    """
    from chexnet.adapters.gateway import HttpGateway
    from chexnet.cli.progress import bar
    from chexnet.cli.sending import files_in, send
    from chexnet.inputs.base import load
    from chexnet.messages import now
    from chexnet.settings import Settings

    settings = Settings()
    files = files_in(paths, load(settings.input))
    owners = _patients(patients) if patients else {}
    gateway = HttpGateway(settings.gateway)
    began = now()
    accepted: list[dict[str, Any]] = []
    refused = 0
    with bar("Sending", len(files), show=not as_json) as advance:
        for file in send(gateway, files, owners, patient):
            for made in file.sent.uploads:
                ids = {"upload_id": made.upload_id, "image_id": made.image_id, "unit": made.unit}
                named = {"file": file.name(made.index), **ids}
                accepted.append({**named, "duplicate": made.duplicate})
            for refusal in file.sent.refused:
                refused += 1
                name = file.name(refusal.index)
                typer.secho(f"{name}: {refusal.reason}", err=True, fg="red")
            advance()
    ended: dict[str, str] = {}  # Upload id → what became of it; in part, where waiting breaks off.
    try:
        if wait and accepted:
            _wait(accepted, began, ended, show=not as_json)
    finally:
        if as_json:
            typer.echo(json.dumps(accepted))
        else:
            _tell(accepted, refused, ended if wait else None)
    if refused or REJECTED in ended.values():
        raise typer.Exit(1)


def _tell(accepted: list[dict[str, Any]], refused: int, ended: dict[str, str] | None) -> None:
    """Print what was sent, with what became of it where somebody waited."""
    from rich.console import Console
    from rich.table import Table

    from chexnet.cli.sending import shortened

    table = Table(box=None, pad_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("upload id", no_wrap=True)
    if ended is not None:
        table.add_column("most probably", no_wrap=True)
    names = shortened([entry["file"] for entry in accepted])
    for entry, name in zip(accepted, names, strict=True):
        said = [] if ended is None else [ended.get(entry["upload_id"], "waits")]
        table.add_row(Text(name), entry["upload_id"], *said)
    if accepted:
        Console(highlight=False).print(table)
    if any(said.endswith(FAR) for said in (ended or {}).values()):
        typer.echo(f"{FAR.strip()} unlike the images that the model was judged on.")
    told = f"Sent {len(accepted)} of {len(accepted) + refused} images."
    if accepted:
        todo = "Follow them with: chexnet watch"
        told += f" {todo}" if ended is None else " More of one: chexnet lineage UPLOAD_ID"
    typer.echo(told)


def _patients(table: Path) -> dict[str, str]:
    with table.open(newline="") as file:
        rows = csv.DictReader(file)
        if not {"file", "patient"} <= set(rows.fieldnames or ()):
            rule = "A table of patients must have the columns file and patient."
            raise typer.BadParameter(f"{rule} Received: {rows.fieldnames}, in {table}.")
        return {Path(row["file"]).name: row["patient"] for row in rows}


def _wait(
    accepted: list[dict[str, Any]], began: datetime, ended: dict[str, str], *, show: bool
) -> None:
    """Fill in what becomes of each upload, as it comes."""
    from chexnet import topics
    from chexnet.cli.answers import Answers
    from chexnet.cli.desk import desk
    from chexnet.cli.progress import bar
    from chexnet.cli.sending import outcomes
    from chexnet.messages import Prediction, decode

    names = {entry["upload_id"]: entry["file"] for entry in accepted}
    with desk() as at, bar("Predicting", len(names), show=show) as advance:
        answers = Answers(at)
        for message in outcomes(at.bus, at.model, names, began):
            upload_id = message.headers.upload_id
            if message.topic == topics.PREDICTIONS:
                top, far = answers.top(decode(message, Prediction)) if show else ("", False)
                ended[upload_id] = top + FAR if far else top
            else:
                ended[upload_id] = REJECTED
                reason = message.headers.extra.get("reason", "")
                typer.secho(f"{names[upload_id]}: {reason}", err=True, fg="red")
            advance()
