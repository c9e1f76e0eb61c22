"""chexnet release: the next version of the served model."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

app = typer.Typer()


@app.command()
def release(
    line: Annotated[str, typer.Option(help="The training line, e.g. b.")],
    commit: Annotated[
        str | None, typer.Option(help="Of models-LINE; its newest by default.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for serving.")] = 120,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Give a trained model a version number, and wait until every replica serves it as exported.

    It takes no role yet: the champion goes on answering. A commit keeps its number, so that
    releasing it again repairs, or loads it again.

    Example: chexnet release --line b
    """
    from chexnet import release as releases
    from chexnet.cli.desk import desk
    from chexnet.errors import ConfigError
    from chexnet.experiments import decisions, readiness

    with desk() as at:
        models = at.settings.serving.models
        if models is None:
            rule = "A release needs CHEXNET_SERVING__MODELS, the folder that serving reads."
            raise ConfigError(f"{rule} Received: nothing. Run it where the stack was set up.")
        by = at.by()
        record = releases.publish(
            at.store,
            models / at.model,
            model=at.model,
            line=line,
            commit=commit,
            who=by.who,
            at=by.at,
        )
        evidence = msgspec.to_builtins(record)
        control = decisions.keep(at.bus, at.model, record.version, by, evidence)
        golden = at.golden(record.version)
        readiness.wait(record.version, at.replicas, golden, timeout=timeout)
    if as_json:
        typer.echo(record.encode().decode())
        return
    typer.echo(f"Version {record.version} is {record.repo}@{record.commit}: {record.network}.")
    typer.echo("Every replica serves it, with its golden outputs.")
    if control.champion is None:
        typer.echo(f"Nothing answers yet. Let it answer: chexnet promote {record.version}")
    elif record.version != control.champion:
        arm = f"{record.line}={record.version}"
        typer.echo(f"Compare it: chexnet experiment start v{record.version} --arm {arm}")
