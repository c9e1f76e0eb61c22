"""The lineage page: from anything back to what it came from, and on to what came from it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from chexnet.runtime import archived, drawing, lineage_graph
from chexnet.runtime.lineage import Node, trace
from chexnet.settings import Settings
from chexnet.ui import parts
from chexnet.ui.page import Act, Look, Page
from chexnet.ui.wiring import Wiring

NEWEST = 8  # Predictions and datasets that the page offers to begin with.


class Lineage(Page):
    """Draws the lineage of what a person names.

    Args:
        settings: of the pipeline; from the environment where it is left out.
        wiring: the store, instead of the one that the settings name.
    """

    _esm = parts.module("page.js", "lineage.js")

    def __init__(self, settings: Settings | None = None, *, wiring: Wiring | None = None) -> None:
        self._made = wiring or Wiring.of(settings or Settings())
        self._thing = ""
        super().__init__(f"{self._made.model} lineage")

    def sections(self) -> Mapping[str, Look]:
        """Return what the page looks at."""
        return {"offers": self._offers, "lineage": self._lineage}

    def act(self, message: Mapping[str, Any]) -> Act | None:
        """Return the drawing of another thing."""
        match message:
            case {"type": "trace", "thing": str(thing)}:
                return lambda: self._choose(thing.strip())
        return None

    def _choose(self, thing: str) -> str:
        self._thing = thing
        return ""

    def _offers(self) -> dict[str, Any]:
        """Return things to begin with: versions, and the newest datasets."""
        store = self._made.store
        versions = sorted(r.version for r in archived.releases(store))
        there = store.head(archived.DATASET) is not None
        datasets = list(islice(store.commits(archived.DATASET), NEWEST)) if there else []
        return {
            "offers": [
                *({"thing": str(v), "told": f"version {v}"} for v in versions[::-1][:NEWEST]),
                *({"thing": f"dataset@{c}", "told": f"dataset@{c[:8]}"} for c in datasets),
            ]
        }

    def _lineage(self) -> dict[str, Any]:
        if not self._thing:
            return {"thing": "", "picture": "", "tree": None}
        node = trace(self._made.store, self._made.model, self._thing)
        title = f"Lineage of {lineage_graph.cut(self._thing, 48)}"
        picture = drawing.draw(*lineage_graph.graph(node), title, "svg").decode()
        return {"thing": self._thing, "picture": picture, "tree": _told(node)}


def _told(node: Node) -> dict[str, Any]:
    """Return a node with its facts in lines, for the tree."""
    facts = [
        f"{name} {lineage_graph.cut(lineage_graph.short(fact), 160)}"
        for name, fact in node.facts.items()
        if fact is not None and not isinstance(fact, dict)
    ]
    return {
        "kind": node.kind,
        "name": node.name,
        "facts": facts,
        "links": [_told(link) for link in node.links],
        "leads": [_told(made) for made in node.leads],
    }
