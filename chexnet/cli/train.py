"""chexnet train: the next release of a line, from a named version of the data."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from chexnet.cli.progress import Advance, bar

if TYPE_CHECKING:
    from chexnet.training.callbacks import Progress

app = typer.Typer()


@app.command()
def train(
    *,
    line: Annotated[str, typer.Option(help="The training line: a or b.")],
    dataset: Annotated[str, typer.Option(help="repo@commit, or a repo's newest.")] = "dataset",
    config: Annotated[str, typer.Option(help="A module of chexnet/training/configs.")] = "chexnet",
    model: Annotated[str | None, typer.Option(help="Another network than the config's.")] = None,
    quick: Annotated[bool, typer.Option(help="Seconds, to see that it runs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Train a line, and commit the SavedModel with its card to the repo models-<line>.

    Watch it in TensorBoard: chexnet open tensorboard.

    Example: chexnet train --line b --config demo_b --dataset dataset@0123abcd
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # Its notes on the CPU; errors raise.
    from chexnet.adapters.pachyderm import PachydermStore
    from chexnet.inputs.base import load
    from chexnet.settings import Settings
    from chexnet.training import recipe as recipes

    settings = Settings()
    recipe = recipes.load(config, quick=quick)
    if model is not None:  # The options and weights were the other network's.
        recipe = replace(recipe, model=model, options={}, weights=None)
    store = PachydermStore(settings.store, settings.pipeline)
    from chexnet.training.run import run  # TensorFlow takes seconds: wrong options fail first.

    with bar(f"Training {line}", show=not as_json) as advance:
        finished = run(
            store,
            load(settings.input),
            recipe,
            line=line,
            config=config,
            dataset=dataset,
            state=settings.state,
            report=partial(_show, advance),
        )
    release = f"{finished.repo}@{finished.commit}"
    areas = {name: split["macro_auroc"] for name, split in finished.card.metrics.items()}
    if as_json:
        told = {"release": release, "dataset": finished.card.dataset, "macro_auroc": areas}
        typer.echo(json.dumps({**told, "seconds": round(finished.seconds, 1)}))
        return
    typer.echo(f"Trained on {finished.card.dataset} in {finished.seconds:.0f} s.")
    for split, area in areas.items():
        typer.echo(f"Mean AUROC in {split}: {_words(area)}")
    typer.echo(f"Committed {release}. Release it with: chexnet release --line {line}")


def _show(advance: Advance, now: Progress) -> None:
    told = f"loss {now.loss:.3f}"
    if now.val_auroc is not None:
        told += f", validation AUROC {now.val_auroc:.3f}"
    done = (now.epoch - 1) * now.steps + now.step
    advance(done=done, total=now.epochs * now.steps, told=told)


def _words(area: dict[str, float] | None) -> str:
    if area is None:
        return "too few patients to say"
    return f"{area['value']:.3f} (95 % interval {area['low']:.3f} to {area['high']:.3f})"
