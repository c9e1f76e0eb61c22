"""chexnet forget: take a patient out of everything that is kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chexnet.cli.progress import bar

if TYPE_CHECKING:
    from chexnet.cli.desk import Desk
    from chexnet.runtime.forgetting import Found

app = typer.Typer()
DAY = 86_400


@app.command()
def forget(
    pseudonym: Annotated[str, typer.Argument(help="As predictions have it in `unit`.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    reason: Annotated[str, typer.Option(help="Goes into the audit; name nobody in it.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Take a patient out of every repo and all its history, for good.

    It first shows what is kept, and asks. Tables that hold others too are written anew, and a new
    dataset is cut where one held the patient. What a model learnt stays in it: it names the
    versions to train anew. The audit keeps a hash of the pseudonym, not the pseudonym.

    Example: chexnet forget 3f2a9c01-mfrggzdfmztwq2lknnwg23tpobyxe43u
    """
    from chexnet.adapters.pachyderm import PachydermPipelines
    from chexnet.adapters.pachyderm.connection import Connection
    from chexnet.adapters.pachyderm.erasing import Eraser
    from chexnet.cli.desk import desk
    from chexnet.errors import NotFound
    from chexnet.inputs.base import load
    from chexnet.pipelines.cut import cut
    from chexnet.runtime.forgetting import Forgetting

    with desk() as at:
        settings = at.settings
        eraser = Eraser(Connection(settings.store, settings.pipeline))
        forgetting = Forgetting(at.store, eraser, pseudonym)
        found = forgetting.find()
        if found.nothing:
            rule = "A patient is known by a pseudonym, as predictions have it in `unit`."
            raise NotFound(f"{rule} Received: {pseudonym!r}, of whom nothing is kept.")
        if not as_json:
            _tell(found)
        if not (yes or as_json):
            typer.confirm("Erase all of it? There is no way back.", abort=True)
        pipelines = PachydermPipelines(settings.store, settings.pipeline)
        with bar("Erasing", show=not as_json) as advance:
            freed = forgetting.erase(
                lambda: cut(
                    at.store,
                    pipelines,
                    load(settings.input),
                    lambda done, total, told: advance(done=done, total=total, told=told),
                    anew=True,
                )
            )
        _record(at, pseudonym, found, reason)
    if as_json:
        typer.echo(json.dumps({**_plain(found), "freed": freed}))
        return
    typer.echo(f"Erased; {freed:,} bytes were freed on the disk.")
    for version in found.versions:
        typer.echo(f"Version {version} has learnt from this patient: train its line anew.")
    for sentence in remains():
        typer.echo(sentence)


def remains() -> list[str]:
    """Return where copies may still be, and for how long."""
    from chexnet.topics import ALL

    days = {name: topic.retention for name, topic in ALL.items() if topic.retention}
    told = ", ".join(f"{name} {seconds / DAY:g}" for name, seconds in sorted(days.items()))
    return [
        f"On the bus, records stay until their topic drops them (days): {told}.",
        "TensorBoard's example images and your own backups and exports are not touched.",
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
