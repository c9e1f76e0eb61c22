"""chexnet import-weights: a PyTorch DenseNet-121 from elsewhere becomes a model of this project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from chexnet.errors import ConfigError

app = typer.Typer()


@app.command("import-weights")
def import_weights(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help=".pth, .pth.tar or .safetensors")
    ],
    *,
    labels: Annotated[
        str, typer.Option(help="Of its outputs, in order: A,B,C or a file, one a line.")
    ],
    normalisation: Annotated[
        str, typer.Option(help="Of its training's pixels: imagenet or torchxrayvision.")
    ],
    line: Annotated[
        str | None, typer.Option(help="Commit it to models-LINE too, for chexnet release.")
    ] = None,
    out: Annotated[Path, typer.Option(help="A new folder to write into.")] = Path("imported"),
    input_: Annotated[
        str, typer.Option("--input", help="Whose labels it will answer.")
    ] = "chest_xray",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Bring a PyTorch DenseNet-121 in, without PyTorch: a model to release, weights to train from.

    It reads state_dicts and whole models by torchvision's names, as
    torchxrayvision and the reproductions of CheXNet save them, and runs nothing
    of them. Labels are matched by name; the normalisation goes into the model.
    It writes release/, weights.safetensors and run.json.

    Examples:
        chexnet import-weights model.pth.tar --labels nih.txt
            --normalisation imagenet --line nih
        chexnet release --line nih
        chexnet import-weights xrv.pt --labels xrv.txt
            --normalisation torchxrayvision
        chexnet evaluate imported/release --on dataset
        chexnet train --line b --weights imported/weights.safetensors
    """
    import os

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # Its notes on the CPU; errors raise.
    from chexnet.inputs.base import load
    from chexnet.models.checkpoints.weights import normalisation_of
    from chexnet.training import importing

    card = importing.import_weights(
        file,
        load(input_),
        labels=_names(labels),
        normalisation=normalisation_of(normalisation),
        line=line or importing.LINE,
        out=out,
    )
    commit = _committed(line, out) if line else None
    if as_json:
        typer.echo(json.dumps({"out": str(out), "commit": commit, "params": card.params}))
        return
    left = [label for label in card.params["outputs"] if label not in card.labels]
    typer.echo(f"Imported {file.name}: {len(card.labels)} labels of {card.input}, by name.")
    if left:
        typer.echo(f"Left out, as the input has no such label: {', '.join(left)}.")
    typer.echo(f"Wrote {out}. Judge it before use: chexnet evaluate {out}/release")
    if commit:
        typer.echo(f"Committed models-{line}@{commit}. Release it: chexnet release --line {line}")


def _names(given: str) -> list[str]:
    """Return the labels of a list or of a file that has one a line."""
    if "," in given:
        return [name.strip() for name in given.split(",")]
    if not Path(given).is_file():
        rule = "--labels must be names with commas between them, or a file with one a line."
        raise ConfigError(f"{rule} Received: {given!r}, which is no file. Correct it.")
    text = Path(given).read_text().removesuffix("\n")
    return [name.strip() for name in text.split("\n")]


def _committed(line: str, folder: Path) -> str:
    from chexnet.adapters.pachyderm import PachydermStore
    from chexnet.pipelines import lines
    from chexnet.settings import Settings

    settings = Settings()
    return lines.bring(PachydermStore(settings.store, settings.pipeline), line, folder)
