"""chexnet rollback: the previous champion answers again."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

app = typer.Typer()


@app.command()
def rollback(
    reason: Annotated[str, typer.Option(help="Goes into the audit.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Make the previous champion the champion again. It is still loaded: nothing is lost.

    It needs no evidence, and ends a running experiment. It can't be done twice in a row: promote
    the version that was left, to bring it back.

    Example: chexnet rollback --reason 'Effusion scores dropped overnight'
    """
    from chexnet.cli.desk import desk
    from chexnet.experiments import decisions, readiness

    with desk() as at:
        looked = at.control()
        previous = looked.previous
        unready = readiness.missing(previous, at.replicas, None) if previous else []
        control = decisions.rollback(at.bus, looked, unready, at.by(reason))
    if as_json:
        typer.echo(msgspec.json.encode(control).decode())
        return
    told = f"Version {control.champion} is the champion again, from revision {control.revision} on."
    typer.echo(f"{told} It was version {looked.champion}.")
