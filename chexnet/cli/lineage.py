"""chexnet lineage: what ran on what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.tree import Tree

    from chexnet.runtime.lineage import Node

app = typer.Typer()
# Facts that only --json tells.
LONG = ("metrics", "run", "shards", "schema", "labels", "params", "host", "history")
COLOURS = {"image": "magenta", "upload": "cyan", "prediction": "green", "version": "yellow"}


@app.command()
def lineage(
    thing: Annotated[str, typer.Argument(help="Upload, prediction, image, version, repo@commit.")],
    out: Annotated[
        Path | None, typer.Option(help="Draw it into a file that ends in .png or .svg.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Walk back to what something came from, and forward to what came from it.

    A prediction leads back to its version, training, dataset and images; an image forward to every
    prediction on it, every dataset that holds it and every version that was trained on those; a
    commit goes both ways.

    Examples:
        chexnet lineage 01936d2e-8f5a-7c21-9b57-0f6f0a3c1d42
        chexnet lineage 3
        chexnet lineage dataset@6451bfec6b4145b9994a164e38785cf8 --out lineage.svg
    """
    from chexnet.adapters.pachyderm import PachydermStore
    from chexnet.runtime.drawing import draw
    from chexnet.runtime.lineage import trace
    from chexnet.runtime.lineage_graph import cut, graph, plain
    from chexnet.settings import Settings

    settings = Settings()
    node = trace(PachydermStore(settings.store, settings.pipeline), settings.model, thing)
    if out is not None:
        out.write_bytes(draw(*graph(node), f"Lineage of {cut(thing, 48)}", out.suffix[1:]))
        typer.echo(f"Wrote {out}.")
    elif as_json:
        typer.echo(json.dumps(plain(node)))
    else:
        from rich.console import Console

        Console().print(tree(node))


def tree(node: Node) -> Tree:
    """Return the lineage as a tree for people."""
    from rich.text import Text
    from rich.tree import Tree

    from chexnet.runtime.lineage_graph import short

    head = Text.assemble((f"{node.kind} ", COLOURS.get(node.kind, "blue")), (node.name, "bold"))
    made = Tree(head, guide_style="dim")
    for name, fact in node.facts.items():
        if name not in LONG and fact is not None:
            made.add(Text.assemble((f"{name} ", "dim"), short(fact)))
    for title, nodes in (("came from", node.links), ("led to", node.leads)):
        if nodes:
            branch = made.add(Text(title, "italic dim"))
            branch.children.extend(tree(other) for other in nodes)
    return made
