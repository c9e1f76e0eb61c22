"""chexnet predict: one image, its findings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from chexnet.messages import Prediction
    from chexnet.settings import Settings
    from chexnet.steps.ports import Bus

app = typer.Typer()


@app.command()
def predict(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="One image.")],
    overlay: Annotated[
        Path | None, typer.Option(help="Write the heat map of a finding over the image, as PNG.")
    ] = None,
    finding: Annotated[
        str | None, typer.Option(help="Which finding's heat map; else the most probable one's.")
    ] = None,
    patient: Annotated[
        str | None, typer.Option(help="Whose image it is; only the gateway sees it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Upload one image, wait for its prediction and show it. Research use only.

    Example: chexnet predict film.dcm --overlay effusion.png --finding Effusion
    """
    from chexnet import topics
    from chexnet.adapters.gateway import HttpGateway
    from chexnet.adapters.kafka import KafkaBus
    from chexnet.errors import BadInput
    from chexnet.messages import Prediction, decode, now
    from chexnet.runtime.following import outcomes
    from chexnet.settings import Settings

    settings = Settings()
    began = now()
    sent = HttpGateway(settings.gateway).send(file.read_bytes(), patient=patient)
    if not sent.uploads:
        raise BadInput(sent.refused[0].code, f"{file}: {sent.refused[0].reason}")
    upload_id = sent.uploads[0].upload_id
    bus = KafkaBus(settings)
    (message,) = outcomes(bus, [upload_id], since=began, patience=60)
    if message.topic != topics.PREDICTIONS:
        extra = message.headers.extra
        raise BadInput(extra.get("error", ""), f"{file}: {extra.get('reason', '')}")
    prediction = decode(message, Prediction)
    if overlay is not None:
        overlay.write_bytes(_overlay(bus, settings, prediction, finding))
    if as_json:
        ids = {"upload_id": upload_id, "image_id": prediction.image_id}
        run = {"version": prediction.version, "revision": prediction.revision}
        typer.echo(json.dumps({**ids, **run, "probabilities": prediction.probabilities}))
        return
    _show(prediction)
    if overlay is not None:
        typer.echo(f"Wrote {overlay}.")
    typer.echo(f"What it came from: chexnet lineage {upload_id}")


def _show(prediction: Prediction) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=f"Version {prediction.version} of {prediction.model}",
        caption="Research use only: not a medical device.",
    )
    table.add_column("Finding")
    table.add_column("Probability", justify="right")
    table.add_column("")
    for label, p in sorted(prediction.probabilities.items(), key=lambda item: -item[1]):
        table.add_row(label, f"{p:.3f}", "█" * round(30 * p))
    Console().print(table)


def _overlay(bus: Bus, settings: Settings, prediction: Prediction, finding: str | None) -> bytes:
    """Return the PNG: the canonical image from the bus, with the prediction's map over it."""
    import numpy as np

    from chexnet import topics
    from chexnet.errors import NotFound
    from chexnet.inputs.base import load
    from chexnet.runtime.following import SKEW

    source = load(settings.input)
    labels = list(prediction.probabilities)
    name = finding or max(labels, key=lambda label: prediction.probabilities[label])
    if name not in labels:
        raise typer.BadParameter(
            f"--finding must be one of {', '.join(labels)}. Received: {name!r}."
        )
    if prediction.cam is None:
        rule = f"A heat map needs a network that has maps. Received: version {prediction.version}"
        raise NotFound(f"{rule}, which has none. Leave --overlay out.")
    reader = bus.read([topics.IMAGES], start=prediction.uploaded_at - SKEW)
    try:
        pixels = next(
            m.value for m in reader.to_end() if m.headers.upload_id == prediction.upload_id
        )
    finally:
        reader.close()
    image = np.frombuffer(pixels, np.uint8).reshape(source.shape)
    return source.overlay(image, prediction.cam.array()[labels.index(name)].astype(np.float32))
