"""chexnet predict: one image, its findings."""

from __future__ import annotations

import json
import shlex
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
    file: Annotated[Path, typer.Argument(exists=True, help="One image.")],
    overlay: Annotated[
        Path | None, typer.Option(help="Write the heat map of a finding over the image, as PNG.")
    ] = None,
    finding: Annotated[
        str | None,
        typer.Option(help="Which finding's --overlay shows; else the most probable one's."),
    ] = None,
    patient: Annotated[
        str | None, typer.Option(help="Whose image it is; only the gateway sees it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Upload one image, wait for its prediction and show it. Research use only.

    It shows calibrated probabilities, as the workspace does; --json has the model's own, which are
    those on record.

    Example: chexnet predict film.dcm --overlay effusion.png --finding Effusion
    """
    from chexnet import topics
    from chexnet.adapters.gateway import HttpGateway
    from chexnet.cli.answers import Answers
    from chexnet.cli.desk import desk
    from chexnet.cli.findings import known
    from chexnet.cli.sending import ARCHIVE, outcomes
    from chexnet.errors import BadInput
    from chexnet.inputs.base import load
    from chexnet.messages import Prediction, decode, now

    if file.is_dir() or file.suffix.lower() == ARCHIVE:
        rule = "FILE must be one image."
        todo = f"Send it with: chexnet upload {shlex.quote(str(file))} --wait"
        raise typer.BadParameter(f"{rule} Received: {file}, which may hold many. {todo}")
    with desk() as at:
        if finding is not None:
            if overlay is None:
                rule = "--finding says which heat map --overlay writes."
                raise typer.BadParameter(f"{rule} Received: no --overlay. Give both, or neither.")
            finding = known(finding, load(at.settings.input).labels, "--finding")
        began = now()
        sent = HttpGateway(at.settings.gateway).send(file.read_bytes(), patient=patient)
        if not sent.uploads:
            raise BadInput(sent.refused[0].code, f"{file}: {sent.refused[0].reason}")
        upload_id = sent.uploads[0].upload_id
        (message,) = outcomes(at.bus, at.model, [upload_id], began)
        if message.topic != topics.PREDICTIONS:
            extra = message.headers.extra
            raise BadInput(extra.get("error", ""), f"{file}: {extra.get('reason', '')}")
        prediction = decode(message, Prediction)
        if overlay is not None:
            overlay.write_bytes(_overlay(at.bus, at.settings, prediction, finding))
        if as_json:
            ids = {"upload_id": upload_id, "image_id": prediction.image_id}
            run = {"version": prediction.version, "revision": prediction.revision}
            typer.echo(json.dumps({**ids, **run, "probabilities": prediction.probabilities}))
            return
        Answers(at).show(prediction)
    if overlay is not None:
        typer.echo(f"Wrote {overlay}.")
    typer.echo(f"What it came from: chexnet lineage {upload_id}")


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
