"""A lineage as boxes and arrows, what came first on the left."""

from __future__ import annotations

from typing import Any

from chexnet.runtime.drawing import Arrow, Box
from chexnet.runtime.lineage import Node

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
MOODS = {"prediction": "good", "version": "waiting", "training": "busy", "dataset": "busy"}


def graph(node: Node) -> tuple[dict[str, Box], list[Arrow]]:
    """Return the boxes by name, and the arrows between them."""
    boxes: dict[str, Box] = {}
    arrows: dict[tuple[str, str], Arrow] = {}

    def add(one: Node, mood: str | None = None) -> str:
        repo, at, commit = one.name.partition("@")
        facts = [f"{k} {short(one.facts[k])}" for k in TELLING if one.facts.get(k) is not None]
        lines = (one.kind, *(cut(fact, 40) for fact in facts[:1]))
        boxes.setdefault(
            one.name,
            Box(
                title=cut(f"{repo}{at}{commit[:10]}"),
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


def plain(node: Node) -> dict[str, Any]:
    """Return the lineage as dictionaries."""
    return {
        "kind": node.kind,
        "name": node.name,
        "facts": node.facts,
        "links": [plain(link) for link in node.links],
        "leads": [plain(made) for made in node.leads],
    }


def cut(text: str, most: int = 23) -> str:
    """Return the beginning of a text that is too long for its place."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def short(fact: Any) -> str:
    """Return a fact in one line."""
    if isinstance(fact, dict):
        return ", ".join(f"{name} {short(value)}" for name, value in fact.items())
    if isinstance(fact, list):
        many = any(isinstance(one, dict) for one in fact)
        return f"{len(fact)} of them" if many else ", ".join(map(short, fact))
    return f"{fact:.4g}" if isinstance(fact, float) else str(fact)
