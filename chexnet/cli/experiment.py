"""chexnet experiment: compare challengers with the champion."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

if TYPE_CHECKING:
    from chexnet.experiments.review import Review
    from chexnet.messages import Control

app = typer.Typer(no_args_is_help=True, help="Compare challengers with the champion.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


class Design(StrEnum):
    """How an experiment divides the images."""

    SHADOW = "shadow"
    SPLIT = "split"


@app.command()
def start(
    name: Annotated[str, typer.Argument(help="Used once: predictions are found by it.")],
    arm: Annotated[list[str], typer.Option(help="NAME=VERSION; may be given again.")],
    design: Annotated[
        Design, typer.Option(help="shadow: the champion answers. split: each patient has an arm.")
    ] = Design.SHADOW,
    exposure: Annotated[
        float | None,
        typer.Option(help="The share of patients to include. All; in a split, equal arms."),
    ] = None,
    margin: Annotated[float, typer.Option(help="The difference must be above it.")] = 0.0,
    cases: Annotated[int, typer.Option(min=1, help="Decide at so many in each arm.")] = 100,
    min_positive: Annotated[
        int, typer.Option(min=2, help="Patients with and without, or a label is left out.")
    ] = 10,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999, help="Of intervals.")] = 0.95,
    as_json: Json = False,
) -> None:
    """Start an experiment. All that decides it is fixed now.

    In shadow every challenger sees each image, but the champion answers: paired, so that it needs
    far fewer cases. In a split the exposure's share of patients is answered by the challengers.

    Example: chexnet experiment start b-against-a --arm b=2 --cases 300
    """
    from chexnet.cli.desk import desk
    from chexnet.experiments import decisions
    from chexnet.messages import Experiment, new_id

    arms = dict(_arm(text) for text in arm)
    if exposure is None:
        exposure = 1.0 if design == Design.SHADOW else len(arms) / (len(arms) + 1)
    with desk() as at:
        looked = at.control()
        by = at.by()
        experiment = Experiment(
            name=name,
            design=design.value,
            salt=new_id(),
            weights=dict.fromkeys(arms, 1.0),
            margin=margin,
            confidence=confidence,
            min_positive=min_positive,
            min_cases=cases,
            started_at=by.at,
            started_by=by.who,
        )
        unready = at.unready(*arms.values())
        control = decisions.start(at.bus, looked, experiment, arms, exposure, unready, by)
    versions = ", ".join(f"{k} (version {v})" for k, v in arms.items())
    _tell(
        control,
        f"{name} runs from revision {control.revision} on: {versions} against version "
        f"{control.champion}, {design.value}, {exposure:.0%} of patients, to be decided at {cases} "
        "cases in each arm. Follow it with: chexnet experiment status",
        as_json=as_json,
    )


@app.command()
def status(as_json: Json = False) -> None:
    """Show what the running experiment has found, and what a promotion would lack.

    Example: chexnet experiment status --json | jq .arms.b.missing
    """
    from rich.console import Console

    from chexnet.experiments import report

    review = _review()
    if as_json:
        typer.echo(msgspec.json.encode(review.plain()).decode())
        return
    console = Console()
    for arm, finding in review.arms.items():
        console.print(report.table(finding.comparison))
        for note in report.notes(finding.comparison):
            console.print(note, highlight=False)
        for sentence in finding.missing:
            console.print(f"Missing: {sentence}", style="yellow", markup=False, highlight=False)
        if not finding.missing:
            console.print(f"Nothing is missing. Promote it with: chexnet promote {arm}")


@app.command()
def report(
    out: Annotated[Path, typer.Argument(help="A file that ends in .html, .png or .json.")],
    experiment: Annotated[
        str, typer.Option(help="An earlier one, as it was reported; the running one without.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Have the pipeline ab-report compare the arms on what is archived, and fetch its report.

    The commit holds page, figure and numbers, with the predictions and reads that they rest on in
    its provenance. The page has the patient bootstrap beside the formula's interval, as a check.

    Example: chexnet experiment report b-against-a.html
    """
    from chexnet.adapters.pachyderm import PachydermPipelines
    from chexnet.cli.desk import desk
    from chexnet.cli.progress import bar
    from chexnet.experiments import decisions
    from chexnet.pipelines import reports

    if (kind := out.suffix[1:]) not in reports.KINDS:
        rule = f"OUT must end in {', '.join(reports.KINDS)}."
        raise typer.BadParameter(f"{rule} Received: {out.name!r}. Choose one of them.")
    with desk() as at, bar("Comparing the arms", show=not as_json) as advance:
        commit, control = None, at.control()
        if not experiment:
            experiment = decisions.running(control).name
            pipelines = PachydermPipelines(at.settings.store, at.settings.pipeline)
            commit = reports.report(
                at.bus,
                at.store,
                pipelines,
                control,
                lambda job: advance(done=job.done, total=job.total or None, told=job.state),
            )
        out.write_bytes(reports.read(at.store, experiment, kind, commit))
    if as_json:
        typer.echo(json.dumps({"experiment": experiment, "commit": commit, "file": str(out)}))
        return
    typer.echo(f"Wrote {out}, from {reports.PIPELINE}@{commit or 'its newest commit'}.")


@app.command()
def expose(
    exposure: Annotated[float, typer.Argument(help="The share of patients, up to 1.")],
    as_json: Json = False,
) -> None:
    """Include more patients. Nobody who is included changes arm.

    Example: chexnet experiment expose 0.5
    """
    from chexnet.cli.desk import desk
    from chexnet.experiments import decisions

    with desk() as at:
        control = decisions.expose(at.bus, at.control(), exposure, at.by())
    told = f"{exposure:.0%} of patients are included from revision {control.revision} on."
    _tell(control, told, as_json=as_json)


@app.command()
def stop(
    reason: Annotated[str, typer.Option(help="Goes into the audit.")] = "",
    as_json: Json = False,
) -> None:
    """Stop the experiment without a promotion: the champion answers everyone.

    Example: chexnet experiment stop --reason 'too few cases this month'
    """
    from chexnet.cli.desk import desk
    from chexnet.experiments import decisions

    with desk() as at:
        looked = at.control()
        name = decisions.running(looked).name
        control = decisions.stop(at.bus, looked, at.by(reason), {})
    told = f"{name} is stopped; version {control.champion} answers everyone."
    _tell(control, told, as_json=as_json)


@app.command()
def plan(
    champion: Annotated[float, typer.Option(min=0.5, max=0.999, help="Its macro AUROC.")] = 0.75,
    difference: Annotated[float, typer.Option(help="To be found, in AUROC.")] = 0.05,
    labels: Annotated[int, typer.Option(min=1, help="How many findings.")] = 14,
    prevalence: Annotated[
        float, typer.Option(min=0.001, max=0.999, help="The share of images with one.")
    ] = 0.1,
    images: Annotated[float, typer.Option(min=1, help="Per patient, on average.")] = 1.0,
    power: Annotated[float, typer.Option(min=0.5, max=0.999, help="To find it.")] = 0.8,
    margin: Annotated[float, typer.Option(help="As it will be given to start.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Say how many read cases an experiment needs, before it starts.

    Example: chexnet experiment plan --champion 0.72 --difference 0.05 --prevalence 0.13
    """
    from chexnet.experiments.power import Plan, cases_for_power

    numbers = {}
    for design in Design:
        planned = Plan(
            champion=champion,
            challenger=champion + difference,
            prevalence=[prevalence] * labels,
            paired=design == Design.SHADOW,
            images=images,
            power=power,
            margin=margin,
        )
        try:
            numbers[design.value] = cases_for_power(planned)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
    if as_json:
        typer.echo(msgspec.json.encode(numbers).decode())
        return
    for name, cases in numbers.items():
        typer.echo(f"{name}: {cases} cases in each arm, for {power:.0%} power.")


def _arm(text: str) -> tuple[str, int]:
    name, _, version = text.partition("=")
    if not version.isdecimal():
        rule = "An arm must be NAME=VERSION, such as b=2."
        raise typer.BadParameter(f"{rule} Received: {text!r}. Correct --arm.")
    return name, int(version)


def _review() -> Review:
    from chexnet.cli.desk import desk

    with desk() as at:
        return at.review(at.control())


def _tell(control: Control, told: str, *, as_json: bool) -> None:
    typer.echo(msgspec.json.encode(control).decode() if as_json else told)
