"""chexnet forget: take a patient out of everything that is kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chexnet.cli.progress import bar

if TYPE_CHECKING:
    from chexnet.cli.desk import Desk
    from chexnet.runtime.forgetting import Erased, Forgetting, Found

app = typer.Typer()
DAY = 86_400


@app.command()
def forget(
    pseudonym: Annotated[str, typer.Argument(help="As predictions have it in `unit`.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Only say what is kept of the patient.")] = False,
    reason: Annotated[str, typer.Option(help="Goes into the audit; name nobody in it.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Take a patient out of every repo and all its history, for good.

    It waits for what the archivers have still to write, shows what is kept, and asks. Tables that
    hold others too are written anew, and a new dataset is cut where one held the patient. What a
    model learnt stays in it: it names the versions to train anew. The audit keeps a hash of the
    pseudonym, not the pseudonym. Broken off, it goes on when it is called again.

    Examples:
        chexnet forget 3f2a9c01-mfrggzdfmztwq2lknnwg23tpobyxe43u --dry-run
        chexnet forget 3f2a9c01-mfrggzdfmztwq2lknnwg23tpobyxe43u --reason "withdrew consent"
    """
    from chexnet.adapters.pachyderm.connection import Connection
    from chexnet.adapters.pachyderm.erasing import Eraser
    from chexnet.cli.desk import desk
    from chexnet.errors import NotFound
    from chexnet.experiments.observed import wait_for_archive
    from chexnet.runtime.forgetting import Forgetting
    from chexnet.steps.archive import REPOS

    _refuse_unclear(pseudonym, reason, asks=not (yes or dry_run), as_json=as_json)
    with desk() as at:
        eraser = Eraser(Connection(at.settings.store, at.settings.pipeline))
        forgetting = Forgetting(at.store, eraser, pseudonym)
        with bar("Looking", show=not as_json) as advance:
            advance(0, told="what stands on the bus goes into the archive first")
            wait_for_archive(at.bus, at.store, REPOS)
            found = forgetting.find()
        if found.nothing:
            rule = "A patient is known by a pseudonym, as predictions have it in `unit`."
            raise NotFound(f"{rule} Received: {pseudonym!r}, of whom nothing is kept.")
        if not as_json:
            _tell(found)
        if dry_run:
            if as_json:
                typer.echo(json.dumps({**_plain(found), "erased": False}))
            return
        if not yes:
            typer.confirm("Erase all of it? There is no way back.", abort=True)
        done = _erase(at, forgetting, show=not as_json)
        _record(at, pseudonym, found, reason)
    if as_json:
        told = {**_plain(found), "erased": True, "freed": done.freed, "uncut": done.uncut}
        typer.echo(json.dumps(told))
        return
    typer.echo(f"Erased; {done.freed:,} bytes were freed on the disk.")
    if done.uncut:
        typer.echo(f"No new dataset was cut. {done.uncut}")
    for version in found.versions:
        typer.echo(f"Version {version} has learnt from this patient: train its line anew.")
    for sentence in remains():
        typer.echo(sentence)


def _refuse_unclear(pseudonym: str, reason: str, *, asks: bool, as_json: bool) -> None:
    """Raise BadParameter where a script would erase unasked, or the audit would say who it was."""
    if as_json and asks:
        rule = "--json asks nothing, so it must be told what to do."
        raise typer.BadParameter(f"{rule} Received: neither --yes nor --dry-run. Add one of them.")
    if pseudonym.casefold() in reason.casefold():
        rule = "The audit is kept for ever, so its reason must not name the patient."
        raise typer.BadParameter(f"{rule} Received: one with the pseudonym in it. Leave it out.")


def _erase(at: Desk, forgetting: Forgetting, *, show: bool) -> Erased:
    from functools import partial

    from chexnet.adapters.pachyderm import PachydermPipelines
    from chexnet.inputs.base import load
    from chexnet.pipelines.cut import cut, follow
    from chexnet.runtime.archiver import sole_writer

    settings = at.settings
    source = load(settings.input)
    pipelines = PachydermPipelines(settings.store, settings.pipeline)
    with (
        sole_writer(settings.lock("labels")),
        bar("Erasing", show=show) as advance,
    ):

        def told(done: int, total: int | None, words: str) -> None:
            advance(done=done, total=total, told=words)

        return forgetting.erase(
            lambda: follow(pipelines, told),
            partial(cut, at.store, pipelines, source, told, embargo=at.embargo(), anew=True),
        )


def remains() -> list[str]:
    """Return where copies may still be, and for how long."""
    from chexnet.topics import ALL

    days = {name: topic.retention for name, topic in ALL.items() if topic.retention}
    told = ", ".join(f"{name} {seconds / DAY:g}" for name, seconds in sorted(days.items()))
    return [
        f"On the bus, records stay until their topic drops them (days): {told}.",
        "TensorBoard's example images and your own backups and exports are not touched.",
        "A folder that was imported is not touched: take the patient out before it comes in again.",
    ]


def _tell(found: Found) -> None:
    for repo, count in found.files.items():
        typer.echo(f"{repo}: {count} files that are only this patient's")
    for repo, count in found.shared.items():
        typer.echo(f"{repo}: {count} files, in all their versions, that hold others too")
    if found.versions:
        typer.echo(f"Trained on this patient: versions {', '.join(map(str, found.versions))}")


def _plain(found: Found) -> dict[str, Any]:
    return {"files": found.files, "shared": found.shared, "versions": list(found.versions)}


def _record(at: Desk, pseudonym: str, found: Found, reason: str) -> None:
    from chexnet.experiments import decisions
    from chexnet.messages import sha256

    evidence = {**_plain(found), "pseudonym_sha256": sha256(pseudonym.encode())}
    decisions.note(at.bus, at.control(), "forget", at.by(reason), evidence)
