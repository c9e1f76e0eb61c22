"""chexnet experiment status, report and list: what experiments have found, and how they ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

if TYPE_CHECKING:
    from chexnet.cli.desk import Desk
    from chexnet.messages import Control, Experiment

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def status(as_json: Json = False) -> None:
    """Show what the running experiment has found, and what a promotion would lack.

    Example: chexnet experiment status --json | jq .arms.b.missing
    """
    from rich.console import Console

    from chexnet.cli.desk import desk
    from chexnet.experiments import report

    with desk() as at:
        control = at.control()
        _running(at, control)
        review = at.review(control)
    if as_json:
        typer.echo(msgspec.json.encode(review.plain()).decode())
        return
    console = Console()
    for arm, finding in review.arms.items():
        console.print(report.table(finding.comparison, console.width))
        for note in report.notes(finding.comparison):
            console.print(note, highlight=False)
        for sentence in finding.missing:
            console.print(f"Missing: {sentence}", style="yellow", markup=False, highlight=False)
        if not finding.missing:
            console.print(f"Nothing is missing. Promote it with: chexnet promote {arm}")
    for note in report.asides(review):
        console.print(note, markup=False, highlight=False)


def report(
    out: Annotated[Path, typer.Argument(help="A file that ends in .html, .png or .json.")],
    experiment: Annotated[
        str, typer.Option(help="An earlier one, as it ended; the running one without.")
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
    from chexnet.messages import now
    from chexnet.pipelines import reports

    if (kind := out.suffix[1:]) not in reports.KINDS:
        rule = f"OUT must end in {', '.join(reports.KINDS)}."
        raise typer.BadParameter(f"{rule} Received: {out.name!r}. Choose one of them.")
    with desk() as at, bar("Comparing the arms", show=not as_json) as advance:
        commit, running = None, not experiment
        if running:
            experiment = _running(at, at.control()).name
        if running or not reports.known(at.store, experiment):
            pipelines = PachydermPipelines(at.settings.store, at.settings.pipeline)
            commit = reports.report(
                at.bus,
                at.store,
                pipelines,
                at.model,
                lambda job: advance(done=job.done, total=job.total or None, told=job.state),
                until=now(),
            )
        out.write_bytes(reports.read(at.store, experiment, kind, commit))
    if as_json:
        typer.echo(json.dumps({"experiment": experiment, "commit": commit, "file": str(out)}))
        return
    typer.echo(f"Wrote {out}, from {reports.PIPELINE}@{commit or 'its newest commit'}.")


def list_(as_json: Json = False) -> None:
    """Show all experiments, the first one first: read off the audit.

    Example: chexnet experiment list --json | jq '.[-1].outcome'
    """
    from rich.table import Table

    from chexnet.cli import tables
    from chexnet.cli.desk import desk
    from chexnet.experiments import decisions
    from chexnet.experiments.held import experiments

    with desk() as at:
        found = experiments(decisions.history(at.bus, at.model))
    if as_json:
        typer.echo(json.dumps([held.plain() for held in found.values()]))
        return
    if not found:
        typer.echo("No experiment yet. Start one with: chexnet experiment start --help")
        return
    table = Table("experiment", "design", "arms", "decides", "from (UTC)", "until", "outcome", "by")
    for held in found.values():
        told = held.plain()
        arms = ", ".join(f"{arm}={version}" for arm, version in held.control.arms.items())
        until = f"{held.until:%Y-%m-%d %H:%M}" if held.until else "now"
        outcome = f"{told['promoted']} promoted" if told["promoted"] else held.outcome
        ended_by = held.ended.decided_by if held.ended else ""
        began = f"{held.experiment.started_at:%Y-%m-%d %H:%M}"
        design, metric = held.design, held.experiment.metric
        table.add_row(told["name"], design, arms, metric, began, until, outcome, ended_by)
    tables.show(table)


def _running(at: Desk, control: Control) -> Experiment:
    """Return the running experiment; raise Refused by the last one, where it has ended."""
    from chexnet.errors import Refused
    from chexnet.experiments import decisions
    from chexnet.experiments.held import experiments

    if control.experiment is None:
        for held in [*experiments(decisions.history(at.bus, at.model)).values()][-1:]:
            name = held.experiment.name
            received = f"Received: none; the last one, {name}, has ended: {held.outcome}."
            todo = f"See: chexnet experiment report {name}.html --experiment {name}"
            raise Refused(f"This needs a running experiment. {received} {todo}")
    return decisions.running(control)
