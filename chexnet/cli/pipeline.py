"""chexnet pipeline: the Pachyderm pipelines and their jobs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chexnet.cli.progress import bar

if TYPE_CHECKING:
    from chexnet.adapters.pachyderm import Job, PachydermPipelines

app = typer.Typer(no_args_is_help=True, help="See, run and stop the Pachyderm pipelines.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
NONE = "There are no pipelines yet. Make them with: chexnet pipeline apply"
ALL = 100_000  # Jobs, where one is looked for.
ID = 12  # How much of a job's id people see; all that takes an id takes how it begins.
COLOURS = {"success": "green", "failure": "red", "unrunnable": "red", "killed": "yellow"}


def _named(name: str) -> str:
    """Refuse no name by those that there may be."""
    from chexnet.pipelines import specs

    if not name:
        rule = f"NAME must be a pipeline: {', '.join(specs.NAMES)}."
        raise typer.BadParameter(f"{rule} Received: none. See: chexnet pipeline list")
    return name


Name = Annotated[
    str, typer.Argument(callback=_named, show_default=False, help="A pipeline, e.g. images.")
]


@app.command()
def apply(
    dry_run: Annotated[bool, typer.Option(help="Only say what would be done.")] = False,
    as_json: Json = False,
) -> None:
    """Create the pipelines, or bring them to their specs; site.yml does it.

    A pipeline whose transform or input has changed processes everything anew.

    Example: chexnet pipeline apply --dry-run
    """
    from chexnet.inputs.base import load
    from chexnet.pipelines import specs
    from chexnet.settings import Settings

    settings = Settings()
    wanted = specs.load(load(settings.input), settings.pipelines_image)
    done = _pipelines().apply(wanted, dry_run=dry_run)
    if as_json:
        typer.echo(json.dumps(done))
        return
    for name, what in done.items():
        typer.echo(f"{name}: {what}")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Show the pipelines, what they read, and how their last jobs went.

    Example: chexnet pipeline list
    """
    from rich.console import Console
    from rich.table import Table

    pipelines = _pipelines()
    found = pipelines.every()
    if as_json:
        _print(found)
        return
    if not found:
        typer.echo(NONE)
        return
    table = Table("pipeline", "reads", "state", "last job", "datums")
    for each in found:
        last = next(iter(pipelines.jobs(each.name, 1)), None)
        table.add_row(
            each.name,
            ", ".join(each.reads),
            "stopped" if each.stopped else "ready",
            _coloured(last.state) if last else "-",
            _counts(last) if last else "-",
        )
    Console().print(table)


@app.command()
def jobs(
    name: Annotated[str | None, typer.Argument(help="A pipeline; all without one.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """Show jobs: how each went, how many datums were done, skipped, failed, and why.

    Examples: chexnet pipeline jobs; chexnet pipeline jobs images --limit 5
    """
    from rich.console import Console
    from rich.table import Table

    found = _pipelines().jobs(name, limit)
    if as_json:
        _print(found)
        return
    table = Table("pipeline")
    for column in ("job", "created", "seconds", "state"):
        table.add_column(column, no_wrap=True)
    table.add_column("datums")
    for job in found:
        took = f"{job.seconds:.1f}" if job.over else ""
        created = f"{job.created.astimezone():%m-%d %H:%M}"
        told = (job.pipeline, job.id[:ID], created, took, _coloured(job.state), _counts(job))
        table.add_row(*told)
    Console().print(table)
    for job in found:
        if job.reason:
            typer.echo(f"{job.id[:ID]} of {job.pipeline}: {job.reason}")


@app.command()
def run(
    name: Name = "",
    reprocess: Annotated[bool, typer.Option(help="Do every datum anew.")] = False,
    wait: Annotated[bool, typer.Option(help="Follow the job to its end.")] = True,
    opened: Annotated[
        str | None, typer.Option("--job", help="Open none, and follow this one; how its id begins.")
    ] = None,
    percent: Annotated[
        int, typer.Option(min=1, max=100, help="Follow until so much of it is done.")
    ] = 100,
    as_json: Json = False,
) -> None:
    """Open a job on a pipeline's inputs as they are, and follow it.

    Example: chexnet pipeline run images --reprocess
    """
    pipelines = _pipelines()
    job = _job(pipelines, name, opened) if opened else pipelines.run(name, reprocess=reprocess)
    if wait:
        with bar(name, show=not as_json) as advance:
            for now in pipelines.follow(name, job.id):
                advance(done=now.done, total=now.total or None, told=now.state)
                job = now
                if percent < 100 and now.total and 100 * now.done >= percent * now.total:
                    break
    if as_json:
        _print(job)
    else:
        typer.echo(f"Job {job.id}: {job.state}; {_counts(job)}. {job.reason}".strip())
    if job.state in {"failure", "unrunnable", "killed"}:
        raise typer.Exit(1)


@app.command()
def stop(
    name: Name = "",
    job: Annotated[
        str | None, typer.Option(help="Kill this job only; its id, or how that begins.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Goes on the job's record.")] = "stopped by hand",
    as_json: Json = False,
) -> None:
    """Stop a pipeline, so that new data open no jobs; or kill one job.

    Example: chexnet pipeline stop models-b
    """
    pipelines = _pipelines()
    if job is not None:
        job = _job(pipelines, name, job).id
        pipelines.stop_job(name, job, reason)
        told = f"Job {job} of {name} is killed."
    else:
        pipelines.stop(name)
        told = f"{name} is stopped. Let it go on with: chexnet pipeline start {name}"
    _say(told, {"pipeline": name, "job": job, "stopped": True}, as_json=as_json)


@app.command()
def start(name: Name = "", as_json: Json = False) -> None:
    """Let a stopped pipeline go on, with what came meanwhile.

    Example: chexnet pipeline start models-b
    """
    _pipelines().start(name)
    _say(f"{name} goes on.", {"pipeline": name, "stopped": False}, as_json=as_json)


def _say(sentence: str, value: object, *, as_json: bool) -> None:
    if as_json:
        _print(value)
    else:
        typer.echo(sentence)


@app.command()
def logs(
    name: Name = "",
    job: Annotated[
        str | None, typer.Option(help="A job's id, or how it begins; the newest without.")
    ] = None,
    datum: Annotated[str, typer.Option(help="A datum's id, or how it begins.")] = "",
    follow: Annotated[bool, typer.Option(help="To the job's end.")] = False,
    as_json: Json = False,
) -> None:
    """Show what a job's transforms have written.

    Example: chexnet pipeline logs models-a --follow
    """
    pipelines = _pipelines()
    found = _job(pipelines, name, job or "").id
    lines = pipelines.logs(name, found, datum=datum, follow=follow)
    if as_json:
        _print(list(lines))
        return
    for line in lines:
        typer.echo(f"{line.datum[:8]}  {line.text}")


@app.command()
def graph(
    out: Annotated[
        Path | None, typer.Option(help="A file that ends in .png or .svg; a tree here without.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the pipelines as a graph, with how their last jobs went.

    Dashed arrows are branches that move only when somebody decides: a cut, a training, a report.

    Example: chexnet pipeline graph --out pipelines.svg
    """
    from rich.console import Console

    from chexnet.cli.trees import trees
    from chexnet.errors import NotFound
    from chexnet.runtime import dag, drawing

    pipelines = _pipelines()
    found = pipelines.every()
    if not found:
        raise NotFound(NONE)
    last = {p.name: job for p in found for job in pipelines.jobs(p.name, 1)}
    boxes, arrows = dag.graph(found, last)
    if out is None and as_json:
        _print({"boxes": boxes, "arrows": arrows})
        return
    if out is None:
        for tree in trees(boxes, arrows):
            Console().print(tree)
        return
    out.write_bytes(drawing.draw(boxes, arrows, "Pipelines", out.suffix[1:]))
    _say(f"Wrote {out}.", {"wrote": str(out)}, as_json=as_json)


@app.command()
def check(as_json: Json = False) -> None:
    """Compare the image that each prediction saw with the one in repo images.

    Online and in the pipeline one function decodes, so the hashes must be equal. Exit 1 if not.

    Example: chexnet pipeline check
    """
    from chexnet.adapters.pachyderm import PachydermStore
    from chexnet.runtime.consistency import compare
    from chexnet.settings import Settings

    settings = Settings()
    found = compare(PachydermStore(settings.store, settings.pipeline))
    if as_json:
        _print(found)
    else:
        typer.echo(f"{found.equal} predictions saw what images has; {found.waiting} wait for it.")
        for each in found.different:
            typer.secho(f"Different: {each}", err=True, fg="red")
    if found.different:
        raise typer.Exit(1)


def _job(pipelines: PachydermPipelines, pipeline: str, begins: str) -> Job:
    """Return the job whose id begins so, the newest for no letter; raise NotFound."""
    from chexnet.errors import NotFound

    found = [j for j in pipelines.jobs(pipeline, ALL if begins else 1) if j.id.startswith(begins)]
    if len(found) == 1:
        return found[0]
    rule = "A job is named by its id or the beginning of it."
    received = f"Received: {begins!r}, as {len(found)} jobs of {pipeline} begin"
    raise NotFound(f"{rule} {received}. See: chexnet pipeline jobs {pipeline}")


def _pipelines() -> PachydermPipelines:
    from chexnet.adapters.pachyderm import PachydermPipelines
    from chexnet.settings import Settings

    settings = Settings()
    return PachydermPipelines(settings.store, settings.pipeline)


def _print(value: object) -> None:
    import msgspec

    typer.echo(msgspec.json.encode(value).decode())


def _coloured(state: str) -> str:
    colour = COLOURS.get(state, "cyan")
    return f"[{colour}]{state}[/]"


def _counts(job: Job) -> str:
    """Return e.g. `50 done, 5000 skipped, 1 failed`."""
    counts = {
        "done": job.processed,
        "skipped": job.skipped,
        "recovered": job.recovered,
        "failed": job.failed,
    }
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return f"{told or '0'} of {job.total}"
