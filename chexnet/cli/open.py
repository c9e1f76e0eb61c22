"""chexnet open: the platform's pages, in the browser."""

from __future__ import annotations

import json
import webbrowser
from enum import StrEnum
from html import escape
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import typer

from chexnet.errors import ConfigError, NotFound
from chexnet.settings import Settings

app = typer.Typer()
PAGE = "open.html"  # Below the secrets: only its owner reads it.


class Target(StrEnum):
    """What can be opened."""

    WORKSPACE = "workspace"
    OPERATIONS = "operations"
    TRAINING = "training"
    LINEAGE = "lineage"
    APP = "app"
    TOUR = "tour"
    JUPYTER = "jupyter"
    TENSORBOARD = "tensorboard"


PATHS = {
    Target.WORKSPACE: "/doc/tree/workspace.ipynb",
    Target.OPERATIONS: "/doc/tree/operations.ipynb",
    Target.TRAINING: "/doc/tree/training.ipynb",
    Target.LINEAGE: "/doc/tree/lineage.ipynb",
    Target.TOUR: "/lab/tree/00_tour.ipynb",
    Target.JUPYTER: "/lab",
    Target.APP: "/",
}
# TensorBoard's page: the curves by which lines compare in front, as they are, a colour a line.
PINNED = ("auroc/mean", "loss/validation")
COMPARED = {
    "pinnedCards": json.dumps([{"plugin": "scalars", "tag": tag} for tag in PINNED]),
    "smoothing": "0",
    "runColorGroup": "regex:^([^/]+)/",
}


@app.command(name="open")
def open_(
    target: Annotated[Target, typer.Argument(help="Which page.")] = Target.WORKSPACE,
    print_url: Annotated[
        bool, typer.Option("--print-url", help="Print the address, with its token.")
    ] = False,
) -> None:
    """Open the workspace, a page beside it, the app, the tour, JupyterLab or TensorBoard.

    The token is neither printed nor on a command line, where others would see it; --print-url asks
    for it.

    Examples: chexnet open; chexnet open tensorboard
    """
    settings = Settings()
    address = address_of(settings, target)
    if print_url:
        typer.echo(address)
        return
    page = _page(settings.state / "secrets", address)
    if not webbrowser.open(page.as_uri()):
        rule = "A browser must be installed where chexnet open runs."
        todo = "Print the address with its token, and open it where there is one:"
        raise NotFound(f"{rule} Received: none. {todo} chexnet open {target} --print-url")
    again = f"chexnet open {target} --print-url"
    typer.echo(f"Opened {target} in your browser. If it stays empty: {again}")


def address_of(settings: Settings, target: Target) -> str:
    """Return the page's address, with the token where it asks for one.

    Raises:
        ConfigError: the platform has no such page, or its token is not there.
    """
    name, base = {
        Target.TENSORBOARD: ("tensorboard", settings.tensorboard_url),
        Target.APP: ("app", settings.app_url),
    }.get(target, ("jupyter", settings.jupyter_url))
    if base is None:
        rule = f"CHEXNET_{name.upper()}_URL must be set."
        raise ConfigError(f"{rule} Received: nothing. Start the stack, which writes it: make up")
    if target is Target.TENSORBOARD:
        return f"{base.rstrip('/')}/?{urlencode(COMPARED)}#timeseries"
    token = settings.state / f"secrets/{name}.token"
    if not token.is_file():
        rule = f"The page's token must be in {token}."
        raise ConfigError(f"{rule} Received: no such file. Start the stack: make up")
    return f"{base.rstrip('/')}{PATHS[target]}?{urlencode({'token': token.read_text().strip()})}"


def _page(folder: Path, address: str) -> Path:
    """Write a page that goes on to `address`: so the token is in no process' arguments."""
    page = folder / PAGE
    page.touch(mode=0o600)
    page.write_text(
        f'<!doctype html><meta http-equiv="refresh" content="0; url={escape(address)}">'
        "<title>CheXNet</title>"
    )
    return page
