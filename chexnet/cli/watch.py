"""chexnet watch: predictions as they come."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def watch(
    count: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many; else with Ctrl-C.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Print each prediction and each reject as it comes.

    Example: chexnet watch --json --count 100
    """
    from chexnet import topics
    from chexnet.adapters.kafka import KafkaBus
    from chexnet.messages import Prediction, decode
    from chexnet.runtime.following import ENDS
    from chexnet.settings import Settings

    bus = KafkaBus(Settings())
    reader = bus.read(ENDS, start="end")
    seen = 0
    if not as_json:
        typer.secho("Waiting for predictions. Ctrl-C ends it.", err=True, dim=True)
    try:
        while count is None or seen < count:
            for message in reader.poll(timeout=1.0):
                seen += 1
                if as_json:
                    typer.echo(message.value if message.topic == topics.PREDICTIONS else b"{}")
                elif message.topic != topics.PREDICTIONS:
                    reason = message.headers.extra.get("reason", "")
                    typer.secho(f"{message.headers.upload_id}  rejected: {reason}", fg="red")
                else:
                    p = decode(message, Prediction)
                    top = sorted(p.probabilities.items(), key=lambda item: -item[1])[:3]
                    words = ", ".join(f"{label} {value:.2f}" for label, value in top)
                    typer.echo(f"{p.upload_id}  version {p.version}  {words}")
    except KeyboardInterrupt:
        return
    finally:
        reader.close()
        bus.close()
