"""A directed graph as a picture, from left to right: for pipelines and for lineage."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import TYPE_CHECKING

from msgspec import Struct

from chexnet.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which the colour-blind can tell; a word in the box says the same.
COLOURS = {
    "good": "#009E73",
    "bad": "#D55E00",
    "busy": "#0072B2",
    "waiting": "#E69F00",
    "data": "#8a8a8a",
    "chosen": "#CC79A7",
}
FORMATS = ("png", "svg")
WIDTH, HEIGHT, ACROSS, DOWN = 2.5, 0.78, 1.15, 0.42  # Of a box, and between boxes, in inches.
MARGIN = 0.35
LETTER = 0.105  # Of the title, across.
SWEEPS = 8
_Spot = tuple[float, float]


class Box(Struct, frozen=True, kw_only=True):
    """A node: its first line is bold. `mood` is one of COLOURS."""

    title: str
    lines: tuple[str, ...] = ()
    mood: str = "data"


class Arrow(Struct, frozen=True, kw_only=True):
    """An edge between two boxes; a dashed one is followed only when somebody asks."""

    source: str
    target: str
    label: str = ""
    dashed: bool = False


def draw(boxes: Mapping[str, Box], arrows: Sequence[Arrow], title: str, kind: str = "png") -> bytes:
    """Return the picture.

    Args:
        boxes: name → box.
        arrows: between names; they make no cycle.
        title: above it.
        kind: png or svg.

    Raises:
        ConfigError: matplotlib is not installed, or `kind` is another.
    """
    if kind not in FORMATS:
        rule = f"A picture must be one of {', '.join(FORMATS)}."
        raise ConfigError(f"{rule} Received: {kind!r}. Name a file that ends so.")
    columns = layers(list(boxes), arrows)
    spots = _spots(columns)
    figure, axes = _canvas(columns, title)
    for arrow in arrows:
        _draw_arrow(axes, spots[arrow.source], spots[arrow.target], arrow)
    for name, box in boxes.items():
        _draw_box(axes, spots[name], box)
    picture = io.BytesIO()
    figure.savefig(picture, format=kind, dpi=150)
    return picture.getvalue()


def layers(names: Sequence[str], arrows: Sequence[Arrow]) -> list[list[str]]:
    """Return the columns of a layered drawing: each name right of all that lead to it.

    Within a column names are in the order of the mean place of their neighbours, from the left and
    from the right in turn, and the order with the fewest crossings stays (the barycentre heuristic
    of Sugiyama, Tagawa and Toda 1981).
    """
    columns = best = _swept(_columns(names, arrows), arrows, from_left=True)
    for sweep in range(SWEEPS):
        columns = _swept(columns, arrows, from_left=sweep % 2 == 1)
        if _crossings(columns, arrows) < _crossings(best, arrows):
            best = columns
    return best


def _columns(names: Sequence[str], arrows: Sequence[Arrow]) -> list[list[str]]:
    above = {name: [a.source for a in arrows if a.target == name] for name in names}
    below = {name: [a.target for a in arrows if a.source == name] for name in names}
    depth: dict[str, int] = {}
    while len(depth) < len(names):
        ready = [n for n in names if n not in depth and all(up in depth for up in above[n])]
        if not ready:
            raise ValueError("the arrows make a cycle")
        depth.update({n: max((depth[up] + 1 for up in above[n]), default=0) for n in ready})
    for name in names:  # What nothing leads to stands right before what it leads to.
        if not above[name] and below[name]:
            depth[name] = min(depth[down] for down in below[name]) - 1
    columns: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name in names:
        columns[depth[name]].append(name)
    return columns


def _swept(
    columns: Sequence[Sequence[str]], arrows: Sequence[Arrow], *, from_left: bool
) -> list[list[str]]:
    """Return the columns, each in the order of the neighbours that were ordered before it."""
    near: dict[str, list[str]] = {name: [] for column in columns for name in column}
    for arrow in arrows:
        one, other = (arrow.target, arrow.source) if from_left else (arrow.source, arrow.target)
        near[one].append(other)
    place: dict[str, float] = {}
    swept = []
    for column in columns if from_left else reversed(columns):
        half = len(column) / 2
        own = {name: n - half for n, name in enumerate(column)}
        mean = {name: fmean([place[o] for o in near[name]] or [own[name]]) for name in column}
        swept.append(sorted(column, key=mean.__getitem__))
        place.update({name: n - half for n, name in enumerate(swept[-1])})
    return swept if from_left else swept[::-1]


def _crossings(columns: Sequence[Sequence[str]], arrows: Sequence[Arrow]) -> int:
    """Count the pairs of arrows between the same two columns that cross."""
    at = {name: (x, y) for x, column in enumerate(columns) for y, name in enumerate(column)}
    ends = [(*at[arrow.source], *at[arrow.target]) for arrow in arrows]
    return sum(
        (x1, x2) == (u1, u2) and (y1 - v1) * (y2 - v2) < 0
        for (x1, y1, x2, y2), (u1, v1, u2, v2) in combinations(ends, 2)
    )


def _spots(columns: Sequence[Sequence[str]]) -> dict[str, _Spot]:
    """Return the middle of each box, in inches."""
    tallest = max(len(column) for column in columns)
    return {
        name: (
            MARGIN + WIDTH / 2 + x * (WIDTH + ACROSS),
            MARGIN
            + (tallest - len(column)) * (HEIGHT + DOWN) / 2
            + HEIGHT / 2
            + (len(column) - 1 - y) * (HEIGHT + DOWN),
        )
        for x, column in enumerate(columns)
        for y, name in enumerate(column)
    }


def _canvas(columns: Sequence[Sequence[str]], title: str) -> tuple[Figure, Axes]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        rule = "A picture needs matplotlib. Received: an installation without it."
        raise ConfigError(
            f"{rule} Install it with: pip install 'chexnet-pipeline[notebook]'"
        ) from error
    tallest = max(len(column) for column in columns)
    width = 2 * MARGIN + max(len(columns) * (WIDTH + ACROSS) - ACROSS, LETTER * len(title))
    height = 2 * MARGIN + tallest * (HEIGHT + DOWN) - DOWN
    figure = Figure(figsize=(width, height + 0.4), facecolor="white")
    axes = figure.add_axes((0, 0, 1, height / (height + 0.4)))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    figure.text(MARGIN / width, 1 - 0.28 / (height + 0.4), title, fontsize=12, weight="bold")
    return figure, axes


def _draw_box(axes: Axes, middle: _Spot, box: Box) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = middle[0] - WIDTH / 2, middle[1] - HEIGHT / 2
    colour = COLOURS[box.mood]
    shape = FancyBboxPatch(
        (x, y),
        WIDTH,
        HEIGHT,
        boxstyle="round,pad=0,rounding_size=0.08",
        facecolor="white",
        edgecolor=colour,
        linewidth=1.8,
    )
    axes.add_patch(shape)
    axes.add_patch(
        FancyBboxPatch(
            (x, y),
            0.09,
            HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.04",
            facecolor=colour,
            edgecolor=colour,
        )
    )
    lines = (box.title, *box.lines)
    for n, line in enumerate(lines):
        down = 0.24 + 0.29 * n
        axes.text(
            x + 0.2,
            y + HEIGHT * (1 - down),
            line,
            va="center",
            fontsize=9.5 if n == 0 else 7.5,
            weight="bold" if n == 0 else "normal",
            color="#222222" if n == 0 else "#555555",
        )


def _draw_arrow(axes: Axes, source: _Spot, target: _Spot, arrow: Arrow) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    start, end = (source[0] + WIDTH / 2, source[1]), (target[0] - WIDTH / 2 - 0.03, target[1])
    bend = max(0.4, (end[0] - start[0]) / 2)
    control = [start, (start[0] + bend, start[1]), (end[0] - bend, end[1]), end]
    axes.add_patch(
        FancyArrowPatch(
            path=Path(control, [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]),
            arrowstyle="-|>",
            mutation_scale=11,
            linewidth=1.2,
            linestyle=(0, (4, 3)) if arrow.dashed else "-",
            color="#666666",
        )
    )
    if arrow.label:
        middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        label = axes.text(*middle, arrow.label, ha="center", va="center", fontsize=7.5)
        label.set(color="#444444", bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5})
