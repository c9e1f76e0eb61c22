"""chexnet train: the next release of a line, from a named version of the data."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from chexnet.cli.progress import Advance, bar
from chexnet.training.progress import parse

app = typer.Typer()


@app.command()
def train(
    *,
    line: Annotated[str, typer.Option(help="The training line: a or b.")],
    dataset: Annotated[
        str, typer.Option(help="dataset@commit, or dataset: its newest.")
    ] = "dataset",
    config: Annotated[str, typer.Option(help="A module of chexnet/training/configs.")] = "chexnet",
    model: Annotated[str | None, typer.Option(help="Another network than the config's.")] = None,
    quick: Annotated[bool, typer.Option(help="Seconds, to see that it runs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Train a line: its pipeline models-<line> runs, and commits the SavedModel with its card.

    It moves the branch dataset@training-<line> and the line's recipe as one change, and follows the
    one job that this opens. Interrupted, the job goes on: chexnet pipeline logs models-<line>.
    Watch it in TensorBoard: chexnet open tensorboard.

    Example: chexnet train --line b --config demo_b --dataset dataset@0123abcd
    """
    from chexnet.adapters.pachyderm import PachydermPipelines, PachydermStore
    from chexnet.pipelines import lines
    from chexnet.settings import Settings
    from chexnet.training.params import Params

    settings = Settings()
    params = Params(config=config, model=model, quick=quick)
    params.recipe()  # A wrong config fails here, and not in a job.
    store = PachydermStore(settings.store, settings.pipeline)
    pipelines = PachydermPipelines(settings.store, settings.pipeline)
    job = lines.start(store, pipelines, line, dataset, params)
    with bar(f"Training {line}", show=not as_json) as advance:
        for logged in pipelines.logs(job.pipeline, job.id, follow=True):
            _show(advance, logged.text)
    trained = lines.finished(store, pipelines, job)
    areas = {name: split["macro_auroc"] for name, split in trained.card.metrics.items()}
    if as_json:
        told = {"release": trained.name, "dataset": trained.card.dataset, "macro_auroc": areas}
        typer.echo(json.dumps({**told, "seconds": round(trained.seconds, 1)}))
        return
    typer.echo(f"Trained on {trained.card.dataset} in {trained.seconds:.0f} s.")
    for split, area in areas.items():
        typer.echo(f"Mean AUROC in {split}: {_words(area)}")
    typer.echo(f"Committed {trained.name}. Release it with: chexnet release --line {line}")


def _show(advance: Advance, line: str) -> None:
    if (now := parse(line)) is None:
        return
    told = f"loss {now.loss:.3f}"
    if now.val_auroc is not None:
        told += f", validation AUROC {now.val_auroc:.3f}"
    done = (now.epoch - 1) * now.steps + now.step
    advance(done=done, total=now.epochs * now.steps, told=told)


def _words(area: dict[str, float] | None) -> str:
    if area is None:
        return "too few patients to say"
    return f"{area['value']:.3f} (95 % interval {area['low']:.3f} to {area['high']:.3f})"
