"""chexnet lineage: what ran on what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.tree import Tree

    from chexnet.runtime.lineage import Node

app = typer.Typer()
LONG = ("metrics", "run", "shards")  # Facts that only --json tells.
COLOURS = {"image": "magenta", "upload": "cyan", "prediction": "green", "version": "yellow"}


@app.command()
def lineage(
    thing: Annotated[str, typer.Argument(help="An upload, prediction, image or version.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Walk from a prediction back to the data that its model learnt from.

    From an image it goes forward, to every prediction ever made on it.

    Examples: chexnet lineage 01936d2e-8f5a-7c21-9b57-0f6f0a3c1d42; chexnet lineage 3
    """
    from chexnet.adapters.pachyderm import PachydermStore
    from chexnet.runtime.lineage import trace
    from chexnet.settings import Settings

    settings = Settings()
    node = trace(PachydermStore(settings.store, settings.pipeline), settings.model, thing)
    if as_json:
        typer.echo(json.dumps(plain(node)))
        return
    from rich.console import Console

    Console().print(tree(node))


def plain(node: Node) -> dict[str, Any]:
    """Return the lineage as dictionaries."""
    return {
        "kind": node.kind,
        "name": node.name,
        "facts": node.facts,
        "links": [plain(link) for link in node.links],
    }


def tree(node: Node) -> Tree:
    """Return the lineage as a tree for people."""
    from rich.text import Text
    from rich.tree import Tree

    head = Text.assemble((f"{node.kind} ", COLOURS.get(node.kind, "blue")), (node.name, "bold"))
    made = Tree(head, guide_style="dim")
    for name, fact in node.facts.items():
        if name not in LONG and fact is not None:
            made.add(Text.assemble((f"{name} ", "dim"), _short(fact)))
    for link in node.links:
        made.children.append(tree(link))
    return made


def _short(fact: Any) -> str:
    if isinstance(fact, dict):
        return ", ".join(f"{name} {_short(value)}" for name, value in fact.items())
    return ", ".join(map(str, fact)) if isinstance(fact, list) else str(fact)
