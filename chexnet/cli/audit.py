"""chexnet audit: who decided what, when and why."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

app = typer.Typer()


@app.command()
def audit(
    after: Annotated[int, typer.Option(min=0, help="Only changes after this revision.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="All that is on record.")] = False,
) -> None:
    """List the changes of control, oldest first.

    Example: chexnet audit --after 41
    """
    from rich.console import Console
    from rich.table import Table

    from chexnet.cli.desk import desk
    from chexnet.experiments import decisions

    with desk() as at:
        entries = [e for e in decisions.history(at.bus, at.model) if e.after > after]
    if as_json:
        typer.echo(msgspec.json.encode(entries).decode())
        return
    table = Table("revision", "when (UTC)", "who", "what", "champion", "reason")
    for e in entries:
        what = f"{e.action}, forced" if e.forced else e.action
        who = e.who if e.verified else f"{e.who} (unverified)"
        champion = str(e.control.champion or "-") if e.control else ""
        table.add_row(str(e.after), f"{e.at:%Y-%m-%d %H:%M:%S}", who, what, champion, e.reason)
    Console().print(table)
