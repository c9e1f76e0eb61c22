"""chexnet train: the next release of a line, from a named version of the data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chexnet.cli.progress import Advance, bar
from chexnet.training.progress import Progress, parse, warned

if TYPE_CHECKING:
    from chexnet.adapters.pachyderm import Job
    from chexnet.models.card import Card
    from chexnet.pipelines.lines import Trained
    from chexnet.settings import Settings
    from chexnet.steps.ports import Store
    from chexnet.training.recipe import Recipe

app = typer.Typer()


@app.command()
def train(
    *,
    line: Annotated[str, typer.Option(help="The training line: a or b.")],
    dataset: Annotated[
        str, typer.Option(help="dataset@commit, or dataset: its newest.")
    ] = "dataset",
    config: Annotated[str, typer.Option(help="A recipe's name, such as demo_b.")] = "chexnet",
    model: Annotated[str | None, typer.Option(help="Another network than the config's.")] = None,
    weights: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Begin with these: chexnet import-weights."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Others than the config's.")] = None,
    quick: Annotated[bool, typer.Option(help="Seconds, to see that it runs.")] = False,
    detach: Annotated[bool, typer.Option(help="Open the job, and do not wait for it.")] = False,
    job: Annotated[str, typer.Option(help="Follow this job of the line; open none.")] = "",
    epoch: Annotated[int, typer.Option(min=0, help="Follow to the end of this epoch only.")] = 0,
    here: Annotated[
        bool, typer.Option(help="In this process and no job, as one of TF_CONFIG's hosts.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Train a line: its pipeline models-<line> runs, and commits the SavedModel with its card.

    It moves the branch dataset@training-<line> and the line's recipe as one change, and follows the
    one job that this opens. Interrupted, the job goes on: come back to it with --job.
    Watch it in TensorBoard: chexnet open tensorboard.

    A job runs on one host, on all of its GPUs. Over several hosts, call it on each with --here and
    a line of its own: TF_CONFIG says who they are, and the first one commits.

    Examples:
        chexnet train --line b --config demo_b --dataset dataset@0123abcd
        chexnet train --line b --job 4567cdef
        chexnet train --line b --weights imported/weights.safetensors
        chexnet train --line wide --dataset dataset@0123abcd --here
    """
    from chexnet.adapters.pachyderm import PachydermPipelines, PachydermStore
    from chexnet.inputs.base import load
    from chexnet.pipelines import lines
    from chexnet.release import TRAINED
    from chexnet.settings import Settings
    from chexnet.training import initial
    from chexnet.training.params import Params

    settings = Settings()
    store = PachydermStore(settings.store, settings.pipeline)
    pipelines = PachydermPipelines(settings.store, settings.pipeline)
    if not here:
        lines.check(line, lines.trained(pipelines))
    if job:
        opened = pipelines.job(f"{TRAINED}{line}", job)
    else:
        params = Params(
            config=config, model=model, quick=quick, epochs=epochs, weights=weights is not None
        )
        recipe = params.recipe()  # What is wrong fails here, and not in a job.
        if weights is not None:
            initial.check(weights, recipe, load(settings.input))
        if here:
            begun = replace(recipe, weights=str(weights)) if weights else recipe
            _train_here(store, settings, dataset, begun, line, config, as_json=as_json)
            return
        opened = lines.start(store, pipelines, line, dataset, params, weights)
    if detach:
        _tell_opened(opened, line, as_json=as_json)
        return
    said = (logged.text for logged in pipelines.logs(opened.pipeline, opened.id, follow=True))
    with bar(f"Training {line}", show=not as_json) as advance:
        ended, warnings = follow(said, epoch, advance)
    if ended is not None:
        _tell_epoch(ended, warnings, as_json=as_json)
        return
    _tell(lines.finished(store, pipelines, opened), warnings, line, as_json=as_json)


def _train_here(
    store: Store,
    settings: Settings,
    dataset: str,
    recipe: Recipe,
    line: str,
    config: str,
    *,
    as_json: bool,
) -> None:
    from chexnet.inputs.base import load
    from chexnet.pipelines.here import train as train_here

    with bar(f"Training {line}", show=not as_json) as advance:
        made = train_here(
            store,
            load(settings.input),
            dataset,
            recipe,
            line=line,
            config=config,
            state=settings.state,
            report=partial(_show, advance),
        )
    if made is not None:
        _tell(made, [], line, as_json=as_json)
    elif not as_json:
        typer.echo("This host has done its part; the first host of TF_CONFIG commits the model.")


def follow(said: Iterable[str], epoch: int, advance: Advance) -> tuple[Progress | None, list[str]]:
    """Show how far a job is, and on stderr what it warns of, as soon as it says so.

    Args:
        said: the lines of its log, until it ends.
        epoch: to whose end to follow; 0 for the job's.
        advance: moves the bar.

    Returns:
        The end of the epoch, or None at the job's end; and the warnings.
    """
    warnings: list[str] = []
    for line in said:
        if (warning := warned(line)) is not None:
            warnings.append(warning)
            typer.secho(warning, err=True, fg="yellow")
        elif (now := parse(line)) is not None:
            _show(advance, now)
            if now.ends_epoch and now.epoch == epoch:
                return now, warnings
    return None, warnings


def _tell_opened(job: Job, line: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"pipeline": job.pipeline, "job": job.id}))
        return
    typer.echo(f"Opened job {job.id}. Follow it: chexnet train --line {line} --job {job.id}")


def _tell_epoch(now: Progress, warnings: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        told = " ".join([*warnings, str(now)] if now.epoch == 1 else [str(now)])
        typer.echo(json.dumps({"over": False, "told": told}))
        return
    typer.echo(str(now))


def _tell(trained: Trained, warnings: Sequence[str], line: str, *, as_json: bool) -> None:
    card = trained.card
    areas = {name: split["macro_auroc"] for name, split in card.metrics.items()}
    began = card.params.get("weights") or "random weights"
    told = [f"Trained on {card.dataset} in {trained.seconds:.0f} s, from {began}.", *warnings]
    told += [f"Mean AUROC in {split}: {_words(area)}" for split, area in areas.items()]
    told.append(f"Committed {trained.name}. Release it with: chexnet release --line {line}")
    if as_json:
        facts = {"release": trained.name, "dataset": card.dataset, "macro_auroc": areas}
        facts |= {"weights": began, "warnings": list(warnings), "card": _facts(card)}
        more = {"seconds": round(trained.seconds, 1), "over": True, "told": told[0]}
        typer.echo(json.dumps({**facts, **more}))
        return
    for sentence in told:
        typer.echo(sentence)


def _facts(card: Card) -> dict[str, Any]:
    """Return what a reader of a model's card looks for first; no patient is in it."""
    chosen = ("line", "network", "dataset", "code", "seed", "intended_use", "limits")
    facts = {name: getattr(card, name) for name in chosen}
    facts |= {"thresholds": card.thresholds, "temperature": card.temperature}
    return facts | {"metrics": card.metrics, "subgroups": list(card.subgroups)}


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
