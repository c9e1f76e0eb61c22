"""A graph as trees, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.tree import Tree

from chexnet.runtime.drawing import Arrow, Box


def trees(boxes: Mapping[str, Box], arrows: Sequence[Arrow]) -> Iterator[Tree]:
    """Yield a tree for each box that nothing leads to; what several lead to is told once."""
    led_to, shown = {arrow.target for arrow in arrows}, set[str]()

    def told(name: str, label: str = "") -> str:
        source = f"from {label}; " if label else ""
        about = "as above" if name in shown else "; ".join(boxes[name].lines)
        return f"[bold]{name}[/] [dim]{source}{about}[/]"

    def grow(tree: Tree, name: str) -> Tree:
        for arrow in arrows:
            if arrow.source == name:
                branch = tree.add(told(arrow.target, arrow.label))
                if arrow.target not in shown:
                    shown.add(arrow.target)
                    grow(branch, arrow.target)
        return tree

    for name in boxes:
        if name not in led_to:
            yield grow(Tree(told(name)), name)
