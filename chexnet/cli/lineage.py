"""chexnet lineage: what ran on what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.tree import Tree

    from chexnet.runtime.drawing import Arrow, Box
    from chexnet.runtime.lineage import Node

app = typer.Typer()
# Facts that only --json tells.
LONG = ("metrics", "run", "shards", "schema", "labels", "params", "host", "history")
TELLING = (
    "images",
    "config",
    "network",
    "arm",
    "count",
    "split",
    "learnt from it",
    "missing",
)  # One of them in a box.
COLOURS = {"image": "magenta", "upload": "cyan", "prediction": "green", "version": "yellow"}
MOODS = {"prediction": "good", "version": "waiting", "training": "busy", "dataset": "busy"}


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

    Examples: chexnet lineage 01936d2e-8f5a-7c21-9b57-0f6f0a3c1d42; chexnet lineage 3;
    chexnet lineage dataset@6451bfec6b4145b9994a164e38785cf8 --out lineage.svg
    """
    from chexnet.adapters.pachyderm import PachydermStore
    from chexnet.runtime.drawing import draw
    from chexnet.runtime.lineage import trace
    from chexnet.settings import Settings

    settings = Settings()
    node = trace(PachydermStore(settings.store, settings.pipeline), settings.model, thing)
    if out is not None:
        out.write_bytes(draw(*graph(node), f"Lineage of {_cut(thing, 48)}", out.suffix[1:]))
        typer.echo(f"Wrote {out}.")
    elif as_json:
        typer.echo(json.dumps(plain(node)))
    else:
        from rich.console import Console

        Console().print(tree(node))


def plain(node: Node) -> dict[str, Any]:
    """Return the lineage as dictionaries."""
    return {
        "kind": node.kind,
        "name": node.name,
        "facts": node.facts,
        "links": [plain(link) for link in node.links],
        "leads": [plain(made) for made in node.leads],
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
    for title, nodes in (("came from", node.links), ("led to", node.leads)):
        if nodes:
            branch = made.add(Text(title, "italic dim"))
            branch.children.extend(tree(other) for other in nodes)
    return made


def graph(node: Node) -> tuple[dict[str, Box], list[Arrow]]:
    """Return the lineage as boxes and arrows, what came first on the left."""
    from chexnet.runtime.drawing import Arrow, Box

    boxes: dict[str, Box] = {}
    arrows: dict[tuple[str, str], Arrow] = {}

    def add(one: Node, mood: str | None = None) -> str:
        repo, at, commit = one.name.partition("@")
        facts = [f"{k} {_short(one.facts[k])}" for k in TELLING if one.facts.get(k) is not None]
        lines = (one.kind, *(_cut(fact, 44) for fact in facts[:1]))
        boxes.setdefault(
            one.name,
            Box(
                title=_cut(f"{repo}{at}{commit[:10]}"),
                lines=lines,
                mood=mood or MOODS.get(one.kind, "data"),
            ),
        )
        for link in one.links:
            source = add(link)
            arrows[source, one.name] = Arrow(source=source, target=one.name)
        for made in one.leads:
            target = add(made)
            arrows[one.name, target] = Arrow(source=one.name, target=target)
        return one.name

    add(node, "chosen")
    return boxes, list(arrows.values())


def _cut(text: str, most: int = 23) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _short(fact: Any) -> str:
    if isinstance(fact, dict):
        return ", ".join(f"{name} {_short(value)}" for name, value in fact.items())
    return ", ".join(map(str, fact)) if isinstance(fact, list) else str(fact)
