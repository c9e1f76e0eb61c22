"""chexnet watch: predictions as they come."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import Annotated

import typer

app = typer.Typer()
MOST = 3  # Findings of an image that are told.


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
    from chexnet.cli.answers import Answers
    from chexnet.cli.desk import desk
    from chexnet.messages import Prediction, decode
    from chexnet.runtime.following import ENDS

    seen = 0
    with (
        desk() as at,
        suppress(KeyboardInterrupt),
        closing(at.bus.read(ENDS, start="end")) as reader,
    ):
        answers = Answers(at)
        if not as_json:
            typer.secho("Waiting for predictions. Ctrl-C ends it.", err=True, dim=True)
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
                    told, _ = answers.top(p, MOST)
                    typer.echo(f"{p.upload_id}  version {p.version}  {told}")
