"""chexnet dlq: dead letters, why they are there, and sending them back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chexnet.messages import Message

app = typer.Typer(no_args_is_help=True, help="Look at dead letters, and send them back.")
TopicName = Annotated[str, typer.Argument(help="The topic they failed on, e.g. uploads.")]


@app.command(name="list")
def list_(
    topic: TopicName = "uploads",
    limit: Annotated[int, typer.Option(min=1, help="At most this many, newest last.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """List a topic's dead letters with their reasons.

    Example: chexnet dlq list uploads
    """
    letters = [_told(m) for m in _letters(topic)][-limit:]
    if as_json:
        typer.echo(json.dumps(letters))
        return
    if not letters:
        typer.echo(f"{topic}.dlq is empty.")
        return
    from rich.markup import escape
    from rich.table import Table

    from chexnet.cli import tables

    table = Table("offset", "upload", "error", "reason", title=f"{topic}.dlq")
    for letter in letters:
        told = (str(letter[name]) for name in ("offset", "upload_id", "error", "reason"))
        table.add_row(*map(escape, told))
    tables.show(table, "reason")


@app.command()
def show(
    offset: Annotated[int, typer.Argument(min=0, help="Its offset, as `list` shows it.")],
    topic: TopicName = "uploads",
    out: Annotated[Path | None, typer.Option(help="Write its bytes there.")] = None,
) -> None:
    """Show one dead letter, and write its bytes to a file if asked.

    Example: chexnet dlq show 3 uploads --out bad.png
    """
    from chexnet.errors import NotFound

    letter = next((m for m in _letters(topic) if m.offset == offset), None)
    if letter is None:
        rule = f"OFFSET must be one that chexnet dlq list {topic} shows."
        raise NotFound(f"{rule} Received: {offset}.")
    for name, value in _told(letter).items():
        typer.echo(f"{name:10} {value}")
    if out is not None:
        out.write_bytes(letter.value)
        typer.echo(f"Wrote {len(letter.value):,} bytes to {out}.")


@app.command()
def replay(
    topic: TopicName,
    limit: Annotated[int, typer.Option(min=1, help="At most this many, oldest first.")] = 100,
) -> None:
    """Send dead letters back to their topic, under the same upload ids. Each goes back once.

    Letters kept without their bytes, since they showed an identity, stay where they are.

    Example: chexnet dlq replay uploads
    """
    from chexnet import topics
    from chexnet.adapters.kafka import KafkaBus
    from chexnet.runtime import dead_letters
    from chexnet.settings import Settings

    home = _topic(topic)
    bus = KafkaBus(Settings())
    sent, kept = dead_letters.replay(bus, home, limit)
    bus.close()
    told = f"Sent {sent} of {home.dlq.name} to {home.name}."
    typer.echo(f"{told} Follow them with: chexnet watch" if home == topics.UPLOADS else told)
    if kept:
        typer.secho(f"{kept} had no bytes: upload these images again.", err=True, fg="yellow")


def _topic(name: str) -> Any:
    from chexnet import topics

    known = {t.name: t for t in topics.WITH_DLQ}
    if name not in known:
        rule = f"TOPIC must be one of {', '.join(known)}."
        raise typer.BadParameter(f"{rule} Received: {name!r}. Name it without the .dlq ending.")
    return known[name]


def _letters(topic: str) -> Iterator[Message]:
    from chexnet.adapters.kafka import KafkaBus
    from chexnet.runtime import dead_letters
    from chexnet.settings import Settings

    wanted = _topic(topic)
    bus = KafkaBus(Settings())
    try:
        yield from dead_letters.letters(bus, wanted)
    finally:
        bus.close()


def _told(letter: Message) -> dict[str, Any]:
    extra = letter.headers.extra
    names = ("error", "reason", "origin", "bytes", "sha256")
    ids = {"offset": letter.offset, "upload_id": letter.headers.upload_id}
    return ids | {name: extra.get(name, "") for name in names}
