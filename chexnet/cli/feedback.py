"""chexnet feedback: what readers found, for the comparison and the next training."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chexnet.cli.findings import known

if TYPE_CHECKING:
    from chexnet.experiments.references import Row

app = typer.Typer(no_args_is_help=True, help="Put findings on record.")
BATCH = 1000


class Protocol(StrEnum):
    """How the findings came about. Assisted reads come from the workspace alone."""

    BLINDED = "blinded"
    REFERENCE = "reference"


Reader = Annotated[str, typer.Option(help="Who read, or what source the findings are from.")]
How = Annotated[
    Protocol, typer.Option(help="blinded: no output was seen. reference: imported as the truth.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.command()
def add(
    image: Annotated[str, typer.Argument(help="An upload id or an image id.")],
    reader: Reader,
    present: Annotated[str, typer.Option(help="Findings, separated by commas.")] = "",
    absent: Annotated[str, typer.Option(help="Findings, or 'rest' for all others.")] = "",
    unsure: Annotated[str, typer.Option(help="Findings, separated by commas.")] = "",
    protocol: How = Protocol.BLINDED,
) -> None:
    """Record one image's findings. What is not named was not assessed, and is never negative.

    Example: chexnet feedback add 0190… --reader jd --present Effusion --absent rest
    """
    from chexnet.errors import NotFound
    from chexnet.experiments.references import Row
    from chexnet.inputs.base import load
    from chexnet.messages import Presence
    from chexnet.settings import Settings

    labels = load(Settings().input).labels
    said: dict[str, Presence] = dict.fromkeys(labels, "absent") if absent == "rest" else {}
    given: list[tuple[str, Presence]] = [
        ("" if absent == "rest" else absent, "absent"),
        (unsure, "unsure"),
        (present, "present"),
    ]
    for names, presence in given:
        typed = (name for name in names.split(",") if name.strip())
        said |= dict.fromkeys((known(name, labels) for name in typed), presence)
    if not said:
        rule = "A read must assess at least one finding."
        raise typer.BadParameter(f"{rule} Received: none. Give --present, --absent or --unsure.")
    result = _record([Row(image, said)], reader, protocol)
    if result["unknown"]:
        rule = "A read must be of an image that was predicted."
        raise NotFound(f"{rule} Received: {image!r}. Upload it first: chexnet upload FILE --wait")
    told = "On record already are" if result["known"] else "Recorded"
    typer.echo(f"{told} {len(said)} findings of image {image}, {protocol.value}.")


@app.command(name="import")
def import_(
    table: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A CSV file.")],
    reader: Annotated[
        str, typer.Option(help="Who read, or what source the findings are from; else the table.")
    ] = "",
    uploads: Annotated[
        Path | None,
        typer.Option(exists=True, help="What chexnet upload --json printed, for a column file."),
    ] = None,
    protocol: How = Protocol.REFERENCE,
    as_json: Json = False,
) -> None:
    """Record the findings of many images. To import a table twice is to import it once.

    The table has a column upload_id, image_id or file, and one for each finding: 1 or present, 0 or
    absent, unsure, or empty for not assessed. The labels.csv of chexnet data phantoms is such a
    table, with files.

    Example: chexnet feedback import reads.csv --reader 'second reading, 2026'
    """
    from chexnet.errors import NotFound
    from chexnet.experiments.references import read_table
    from chexnet.inputs.base import load
    from chexnet.settings import Settings

    names = _uploads(uploads) if uploads else {}
    rows = read_table(table, load(Settings().input).labels, names)
    reader = reader or table.name
    result = _record(rows, reader, protocol)
    if rows and len(result["unknown"]) == len(rows):
        rule = f"{table} must name images that were predicted."
        todo = "Upload them first, or give --uploads."
        raise NotFound(f"{rule} Received: none of its {len(rows)} rows is known. {todo}")
    if as_json:
        typer.echo(json.dumps(result))
        return
    typer.echo(f"Recorded {result['recorded']} images, {protocol.value}, by {reader}.")
    if known := result["known"]:
        typer.echo(f"{known} were on record already, with the same findings.")
    if unknown := result["unknown"]:
        told = f"Left out {len(unknown)} that no prediction knows, the first: {unknown[0]}"
        typer.secho(told, err=True, fg="yellow")


def _record(rows: list[Row], reader: str, protocol: Protocol) -> dict[str, Any]:
    """Send the rows as feedback; return how many, and what was known or is of no prediction."""
    from chexnet.cli.desk import desk
    from chexnet.experiments import references
    from chexnet.experiments.observed import observe
    from chexnet.messages import now

    with desk() as at:
        on_record = observe(at.bus, at.store, until=now())
        reads, unknown = references.feedback(
            rows,
            on_record.predictions,
            reader=reader,
            protocol=protocol.value,
            at=now(),
            known=on_record.feedback,
        )
        messages = [references.message(read) for read in reads]
        for start in range(0, len(messages), BATCH):
            at.bus.send(messages[start : start + BATCH])
    known = len(rows) - len(reads) - len(unknown)
    return {"recorded": len(reads), "known": known, "unknown": unknown}


def _uploads(path: Path) -> dict[str, str]:
    """Return file name → upload id, from what `chexnet upload --json` printed."""
    try:
        told = json.loads(path.read_text())
        return {Path(entry["file"]).name: entry["upload_id"] for entry in told}
    except (ValueError, KeyError, TypeError) as error:
        rule = f"{path} must hold what chexnet upload --json printed: a list of file, upload_id."
        raise typer.BadParameter(
            f"{rule} Received: {error!r}. Upload again with --json."
        ) from error
