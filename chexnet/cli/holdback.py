"""chexnet holdback: the share of patients that stays on the previous champion after a decision."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

app = typer.Typer()


@app.command()
def holdback(
    end: Annotated[bool, typer.Option("--end", help="Give them the champion too.")] = False,
    reason: Annotated[str, typer.Option(help="Goes into the audit, with --end.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Show who stays on the previous champion, or end it.

    One begins with chexnet promote VERSION --holdback SHARE, and ends with the next decision (a
    promotion, a rollback, the start of an experiment) if not before.

    Example: chexnet holdback --end
    """
    from chexnet.cli.desk import desk
    from chexnet.experiments import decisions

    with desk() as at:
        control = looked = at.control()
        if end:
            control = decisions.end_holdback(at.bus, looked, at.by(reason))
    if as_json:
        typer.echo(msgspec.json.encode(control).decode())
    elif end:
        told = f"Version {control.champion} answers everyone"
        typer.echo(f"{told}, from revision {control.revision} on.")
    elif control.holdback is None:
        typer.echo("Nobody is held back: the newest decision left no share behind.")
    else:
        told = f"{control.holdback.share:.0%} of patients stay on version {control.previous}"
        typer.echo(f"{told}, the others have version {control.champion}.")
