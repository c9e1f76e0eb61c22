"""chexnet history: which version was champion when, who put it there, on what evidence."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

if TYPE_CHECKING:
    from chexnet.experiments.champions import Champion

app = typer.Typer()


@app.command()
def history(
    on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only that day's, in UTC.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="With the decisions and their evidence in full.")
    ] = False,
) -> None:
    """Show the champions, oldest first: read off the audit, whose chain --verify checks.

    Example: chexnet history --on 2026-11-25
    """
    from rich.markup import escape
    from rich.table import Table

    from chexnet.cli import tables
    from chexnet.cli.desk import desk
    from chexnet.experiments import decisions
    from chexnet.experiments.champions import champions, grounds

    with desk() as at:
        found = champions(decisions.history(at.bus, at.model))
    if on is not None:
        found = [champion for champion in found if champion.was(on.date())]
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    if not found:
        when = f"on {on:%Y-%m-%d}" if on else "yet"
        typer.echo(f"No version was champion {when}. The first becomes it by: chexnet promote 1")
        return
    table = Table("champion", "from (UTC)", "until", "put there by", "on what evidence", "reason")
    for champion in found:
        entry = champion.put_by
        table.add_row(
            _version(champion),
            f"{champion.since:%Y-%m-%d %H:%M:%S}",
            f"{champion.until:%Y-%m-%d %H:%M:%S}" if champion.until else "now",
            entry.decided_by,
            grounds(champion),
            escape(entry.reason),
        )
    tables.show(table, "on what evidence", "reason")
    typer.echo(f"What a version came from: chexnet lineage {found[-1].version}")


def _version(champion: Champion) -> str:
    told, control = f"version {champion.version}", champion.put_by.control
    if control is None or control.holdback is None:
        return told
    return f"{told}, {control.holdback.share:.0%} stayed on {control.previous}"
