"""chexnet upload: files into the pipeline."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer()
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

    What it refuses is told with the reason, and the others go on; then the exit code is 1.

    Examples: chexnet upload film.dcm --wait; chexnet upload folder/ --json > uploads.json
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
                accepted.append({"file": str(file.path), **ids, "duplicate": made.duplicate})
            for refusal in file.sent.refused:
                refused += 1
                typer.secho(f"{file.path}: {refusal.reason}", err=True, fg="red")
            advance()
    rejected = _wait(settings, accepted, began, show=not as_json) if wait and accepted else 0
    if as_json:
        typer.echo(json.dumps(accepted))
    else:
        told = f"Sent {len(accepted)} of {len(accepted) + refused} images."
        typer.echo(f"{told} Follow them with: chexnet watch" if not wait else told)
    if refused or rejected:
        raise typer.Exit(1)


def _patients(table: Path) -> dict[str, str]:
    with table.open(newline="") as file:
        rows = csv.DictReader(file)
        if not {"file", "patient"} <= set(rows.fieldnames or ()):
            rule = "A table of patients must have the columns file and patient."
            raise typer.BadParameter(f"{rule} Received: {rows.fieldnames}, in {table}.")
        return {Path(row["file"]).name: row["patient"] for row in rows}


def _wait(settings: Any, accepted: list[dict[str, Any]], began: Any, *, show: bool) -> int:
    from chexnet import topics
    from chexnet.adapters.kafka import KafkaBus
    from chexnet.cli.progress import bar
    from chexnet.runtime.following import outcomes

    names = {entry["upload_id"]: entry["file"] for entry in accepted}
    rejected = 0
    bus = KafkaBus(settings)
    with bar("Predicting", len(names), show=show) as advance:
        for message in outcomes(bus, names, since=began, patience=60):
            if message.topic != topics.PREDICTIONS:
                rejected += 1
                reason = message.headers.extra.get("reason", "")
                typer.secho(f"{names[message.headers.upload_id]}: {reason}", err=True, fg="red")
            advance()
    bus.close()
    return rejected
