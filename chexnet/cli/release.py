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
    image: Annotated[
        str | None,
        typer.Option(help="Also bake it into an image of this name, which serves it by itself."),
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="What the image stands on; the site's serving by default.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for serving.")] = 120,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Give a trained model a version number, and wait until every replica serves it as exported.

    It takes no role yet: the champion goes on answering. A commit keeps its number, so that
    releasing it again repairs, or loads it again.

    Examples:
        chexnet release --line b
        chexnet release --line b --image registry.example/xray:2
    """
    from chexnet import release as releases
    from chexnet.cli.desk import desk
    from chexnet.errors import ConfigError
    from chexnet.experiments import decisions, readiness
    from chexnet.pipelines import lines

    with desk() as at:
        models = at.settings.serving.models
        if models is None:
            rule = "A release needs CHEXNET_SERVING__MODELS, the folder that serving reads."
            raise ConfigError(f"{rule} Received: nothing. Run it where the stack was set up.")
        base = base or at.settings.serving.image
        if image and not base:
            rule = "An image stands on a model server's. Received: no --base, and none of the site."
            raise ConfigError(f"{rule} Name it: --base tensorflow/serving:2.19.1")
        # A line of its own may have no release.
        if at.store.head(f"{releases.TRAINED}{line}") is None:
            released = (known.line for known in releases.records(at.store).values())
            lines.check(line, {*lines.NAMES, *released})
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
        if image and base:
            from chexnet.adapters import engine

            place = models / at.model / str(record.version)
            engine.build(place, record, base=base, name=image)
    if as_json:
        typer.echo(record.encode().decode())
        return
    typer.echo(f"Version {record.version} is {record.repo}@{record.commit}: {record.network}.")
    typer.echo("Every replica serves it, with its golden outputs.")
    if image:
        typer.echo(f"{image} serves it by itself, on ports 8500 (gRPC) and 8501 (REST).")
    if control.champion is None:
        typer.echo(f"Nothing answers yet. Let it answer: chexnet promote {record.version}")
    elif record.version != control.champion:
        arm = f"{record.line}={record.version}"
        typer.echo(f"Compare it: chexnet experiment start v{record.version} --arm {arm}")
