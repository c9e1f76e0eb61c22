"""The command line. One file per group; each imports what it needs only when it runs."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Annotated

import typer

from chexnet.cli.reflow import reflow
from chexnet.errors import ChexnetError

# A group is a module of this package with a Typer called `app`, and its name in `chexnet --help`.
# A module whose `app` has one command and no help of its own is that command.
GROUPS: tuple[str, ...] = (
    "upload",
    "predict",
    "watch",
    "status",
    "data",
    "labels",
    "dataset",
    "pipeline",
    "train",
    "import_weights",
    "evaluate",
    "release",
    "experiment",
    "feedback",
    "promote",
    "rollback",
    "holdback",
    "audit",
    "history",
    "lineage",
    "forget",
    "open",
    "dlq",
)

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="From chest X-rays to predictions to the next, better model. Research use only.",
)


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option(help="Show tracebacks of errors.")] = False,
) -> None:
    if debug:
        os.environ["CHEXNET_DEBUG"] = "1"


for _name in GROUPS:
    _group: typer.Typer = import_module(f"chexnet.cli.{_name}").app
    reflow(_group)
    _alone = len(_group.registered_commands) == 1 and not _group.info.help
    app.add_typer(_group, name=None if _alone else _name)  # Without a name: its command, here.


def main() -> None:
    """Run `chexnet`. Exit 1 for a failure, 2 for wrong usage, 3 for a refusal."""
    try:
        app()
    except ChexnetError as error:
        if os.environ.get("CHEXNET_DEBUG"):
            raise
        typer.secho(f"chexnet: {error}", err=True, fg="red")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
