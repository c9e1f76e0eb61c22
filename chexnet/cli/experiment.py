"""chexnet experiment: compare challengers with the champion."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from chexnet.cli import looking

if TYPE_CHECKING:
    from chexnet.experiments.declared import Declared
    from chexnet.messages import Control

app = typer.Typer(no_args_is_help=True, help="Compare challengers with the champion.")
SUFFIX = ".toml"
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


class Design(StrEnum):
    """How an experiment divides the images."""

    SHADOW = "shadow"
    SPLIT = "split"
    CANARY = "canary"


class Metric(StrEnum):
    """What decides an experiment."""

    MACRO_AUROC = "macro_auroc"
    BRIER = "brier"


@app.command()
def start(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(help="Used once: predictions are found by it. Or a file.toml with all.")
    ],
    arm: Annotated[list[str] | None, typer.Option(help="NAME=VERSION; may be given again.")] = None,
    design: Annotated[
        Design,
        typer.Option(
            help="shadow: the champion answers. split: each patient has an arm. canary: a split "
            "that grows from 1 to 50 % by itself."
        ),
    ] = Design.SHADOW,
    exposure: Annotated[
        float | None,
        typer.Option(help="The share of patients to include. All; in a split, equal arms."),
    ] = None,
    stage_hours: Annotated[
        float, typer.Option(min=0.01, help="How long a stage of a canary lasts at least.")
    ] = 24.0,
    metric: Annotated[
        Metric,
        typer.Option(help="macro_auroc: once, at the planned cases. brier: at any look."),
    ] = Metric.MACRO_AUROC,
    lag_days: Annotated[
        float | None,
        typer.Option(min=0.001, help="A patient's reads count until so long after the first."),
    ] = None,
    margin: Annotated[float, typer.Option(help="The difference must be above it.")] = 0.0,
    cases: Annotated[int, typer.Option(min=1, help="Decide at so many in each arm.")] = 100,
    min_positive: Annotated[
        int, typer.Option(min=2, help="Patients with and without, or a label is left out.")
    ] = 10,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999, help="Of intervals.")] = 0.95,
    as_json: Json = False,
) -> None:
    """Start an experiment. All that decides it is fixed now, by options or in a file.

    In shadow every challenger sees each image, but the champion answers: paired, so that it needs
    far fewer cases. In a split the exposure's share of patients is answered by the challengers. A
    canary is a split whose exposure grows by itself, 1, 5, 25, 50 %, each stage after its hours
    and enough images; a guardrail that is passed ends it, and a promotion gives it to everyone.
    Macro AUROC is looked at once, at the planned cases; brier whenever you like, and it alone
    allows for patients that come to the arms at different times, as in a canary. A file says more.

    Example: chexnet experiment start b-against-a --arm b=2 --cases 300
    """
    from chexnet.cli.desk import desk
    from chexnet.experiments import decisions
    from chexnet.experiments import declared as files
    from chexnet.messages import new_id

    if name.endswith(SUFFIX):
        _no_options(context)
        declared = files.read(Path(name))
    else:
        declared = files.Declared(
            schema="experiment-file/1",
            name=name,
            design=design.value,
            arms=dict(_arm(text) for text in arm or []),
            exposure=exposure,
            stage_hours=stage_hours,
            metric=metric.value,
            lag_days=lag_days,
            cases=cases,
            margin=margin,
            confidence=confidence,
            min_positive=min_positive,
        )
        files.check(declared)
    with desk() as at:
        looked = at.control()
        by = at.by()
        experiment = declared.experiment(salt=new_id(), at=by.at, who=by.who)
        unready = at.unready(*declared.arms.values())
        control = decisions.start(
            at.bus, looked, experiment, declared.arms, declared.included, unready, by
        )
    told = f"{_told(declared, control.champion)} It runs from revision {control.revision} on."
    _tell(control, f"{told} Follow it with: chexnet experiment status", as_json=as_json)


@app.command()
def validate(
    file: Annotated[Path, typer.Argument(help="A TOML file.")], as_json: Json = False
) -> None:
    """Check an experiment's file, and say what it will do. Nothing starts.

    Example: chexnet experiment validate b-against-a.toml
    """
    from chexnet.experiments import declared as files

    declared = files.read(file)
    if as_json:
        typer.echo(msgspec.json.encode(declared).decode())
        return
    typer.echo(f"{_told(declared, None)} Start it with: chexnet experiment start {file}")


app.command()(looking.status)
app.command()(looking.report)
app.command(name="list")(looking.list_)


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
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="An experiment's file, which has all of the options.")
    ] = None,
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

    if file is not None:
        _no_options(context)
        _plan_file(file, as_json=as_json)
        return
    numbers = {}
    for design in (Design.SHADOW, Design.SPLIT):
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


def _plan_file(file: Path, *, as_json: bool) -> None:
    from chexnet.experiments import declared as files

    declared = files.read(file)
    try:
        cases, power = files.planned(declared)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if as_json:
        typer.echo(json.dumps({"cases": cases, "power": power}))
        return
    expected = declared.expected
    wanted = f" for {expected.power:.0%} power" if expected else ""
    what = "cases" if declared.metric == "macro_auroc" else "patients"
    stages = ", as many in each stage" if declared.design == "canary" else ""
    typer.echo(f"{declared.design}: {cases} {what} in each arm{stages}{wanted}.")
    typer.echo(f"With the file's {declared.cases} the power is {power:.0%}.")


def _no_options(context: typer.Context) -> None:
    """Refuse options beside a file."""
    sources = {key: context.get_parameter_source(key) for key in context.params}
    typed = {key for key, source in sources.items() if source and source.name == "COMMANDLINE"}
    typed -= {"name", "file", "as_json"}
    if typed:
        listed = ", ".join(f"--{key.replace('_', '-')}" for key in sorted(typed))
        rule = "A file says all that decides an experiment."
        raise typer.BadParameter(f"{rule} Received: {listed} beside it. Write it into the file.")


def _told(declared: Declared, champion: int | None) -> str:
    """Return, as a sentence, what an experiment does."""
    versions = ", ".join(f"{k} (version {v})" for k, v in declared.arms.items())
    against = f"version {champion}" if champion else "the champion"
    when = f"once, by macro AUROC at {declared.cases} cases in each arm"
    if declared.metric == "brier":
        when = f"at any look, by the Brier loss, planned for {declared.cases} patients in each arm"
    return (
        f"{declared.name}: {versions} against {against}, {declared.design}, "
        f"{declared.included:.0%} of patients, to be decided {when}."
    )


def _arm(text: str) -> tuple[str, int]:
    name, _, version = text.partition("=")
    if not version.isdecimal():
        rule = "An arm must be NAME=VERSION, such as b=2."
        raise typer.BadParameter(f"{rule} Received: {text!r}. Correct --arm.")
    return name, int(version)


def _tell(control: Control, told: str, *, as_json: bool) -> None:
    typer.echo(msgspec.json.encode(control).decode() if as_json else told)
