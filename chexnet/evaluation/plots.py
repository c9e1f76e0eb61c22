"""An evaluation as figures.

Colours are Okabe and Ito's, which the colour-blind can tell apart; marks and words say the same.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

from chexnet.errors import ConfigError
from chexnet.evaluation.curve import curve
from chexnet.evaluation.published import TABLES
from chexnet.evaluation.record import Evaluation
from chexnet.evaluation.report import published
from chexnet.evaluation.scored import Finding, Scored

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#8a8a8a"
MARKS = dict(zip((table.name for table in TABLES), "s^x+", strict=True))  # Of what was published.
ACROSS = 5  # Small panels beside each other.
PANEL = 2.3  # Of a small one, in inches.


def areas(evaluation: Evaluation) -> bytes:
    """Return a PNG of each AUROC with its interval, and what was published."""
    e = evaluation
    known = [(label.name, label.auroc) for label in e.labels if label.auroc]
    if e.mean_auroc:
        known.append((f"mean of {len(e.mean_of)}", e.mean_auroc))
    drawn, (axes,) = _panels(1, (8.5, 1.4 + 0.33 * len(known)))
    for height, (name, area) in enumerate(reversed(known)):
        axes.plot([area.low, area.high], [height, height], color=BLUE, linewidth=2.5)
        axes.plot(area.value, height, "o", color=BLUE, label=None if height else e.subject)
        for table in published(e):
            if (value := table.auroc.get(name)) is not None:
                axes.plot(value, height, MARKS[table.name], color=GREY, markersize=6)
    for table in published(e):
        axes.plot([], [], MARKS[table.name], color=GREY, label=f"{table.name} (other images)")
    axes.set_yticks(range(len(known)), [name for name, _ in reversed(known)])
    axes.set_xlabel(f"AUROC with {e.confidence:.0%} interval, patients as clusters")
    axes.grid(axis="x", color="#eeeeee")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, fontsize=8, frameon=False)
    return _png(drawn)


def roc(scored: Scored) -> bytes:
    """Return a PNG of the ROC curve of each finding that has one."""
    chosen = _two_sided(scored)
    drawn, panels = _small(len(chosen))
    for axes, finding in zip(panels, chosen, strict=True):
        found = curve(finding.scores, finding.present)
        axes.plot([0, *(1 - found.specificity)], [0, *found.sensitivity], color=BLUE)
        axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=0.8)
        _square(axes, finding.name, "1 - specificity", "sensitivity")
    return _png(drawn)


def precision_recall(scored: Scored) -> bytes:
    """Return a PNG of precision over sensitivity; the dashed line is the finding's share."""
    chosen = _two_sided(scored)
    drawn, panels = _small(len(chosen))
    for axes, finding in zip(panels, chosen, strict=True):
        found = curve(finding.scores, finding.present)
        axes.step(found.sensitivity, found.precision, where="pre", color=BLUE)
        axes.axhline(finding.present.mean(), color=GREY, linestyle="--", linewidth=0.8)
        _square(axes, finding.name, "sensitivity", "precision")
    return _png(drawn)


def reliability(evaluation: Evaluation) -> bytes:
    """Return a PNG of what was so over what was said, in ten groups of equal size."""
    chosen = [(x.name, x.calibration) for x in evaluation.labels if x.calibration]
    drawn, panels = _small(len(chosen))
    for axes, (name, calibration) in zip(panels, chosen, strict=True):
        groups = calibration.groups
        for group in groups:
            if group.observed:
                limits = [group.observed.low, group.observed.high]
                axes.plot([group.said, group.said], limits, color=ORANGE, linewidth=1)
        axes.plot([g.said for g in groups], [g.share for g in groups], "o", color=ORANGE, ms=3)
        ends = [(g.said, g.observed.high if g.observed else g.share) for g in groups]
        top = 1.05 * max(max(end) for end in ends)
        axes.plot([0, top], [0, top], color=GREY, linestyle="--", linewidth=0.8)
        axes.set(xlim=(0, top), ylim=(0, top))
        _named(axes, name, "mean probability", "share with it")
    return _png(drawn)


def subgroups(evaluation: Evaluation, attribute: str) -> bytes:
    """Return a PNG of each finding's AUROC in the groups of one attribute."""
    groups = [group for group in evaluation.subgroups if group.attribute == attribute]
    names = [x.name for x in evaluation.labels if any(x.name in g.auroc for g in groups)]
    drawn, (axes,) = _panels(1, (8.5, 1.6 + 0.16 * len(names) * len(groups)))
    colours = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9")
    marks = ("o", "s", "^", "D", "v", "P")
    for number, group in enumerate(groups):
        colour, mark = colours[number % 6], marks[number % 6]
        shift = (number - (len(groups) - 1) / 2) * 0.7 / len(groups)
        for row, name in enumerate(names):
            if area := group.auroc.get(name):
                height = len(names) - 1 - row - shift
                axes.plot([area.low, area.high], [height] * 2, color=colour, linewidth=1.2)
                axes.plot(area.value, height, mark, color=colour, markersize=4)
        axes.plot([], [], mark, color=colour, markersize=4, label=f"{attribute} {group.value}")
    axes.set_yticks(range(len(names)), names[::-1])
    axes.set_xlabel(f"AUROC with {evaluation.confidence:.0%} interval, patients as clusters")
    axes.grid(axis="x", color="#eeeeee")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=5, fontsize=8, frameon=False)
    return _png(drawn)


def _two_sided(scored: Scored) -> list[Finding]:
    return [f for f in scored.findings() if f.present.any() and not f.present.all()]


def _small(count: int) -> tuple[Figure, list[Axes]]:
    down = max(1, math.ceil(count / ACROSS))
    return _panels(max(count, 1), (ACROSS * PANEL, down * PANEL), down, ACROSS)[0:2]


def _panels(
    count: int, size: tuple[float, float], down: int = 1, across: int = 1
) -> tuple[Figure, list[Axes]]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        rule = "A figure needs matplotlib. Received: an installation without it."
        raise ConfigError(f"{rule} Install it with: pip install 'chexnet-pipeline[cli]'") from error
    drawn = Figure(figsize=size, layout="constrained", facecolor="white")
    made = [drawn.add_subplot(down, across, number + 1) for number in range(count)]
    return drawn, made


def _square(axes: Axes, name: str, x: str, y: str) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    _named(axes, name, x, y)


def _named(axes: Axes, name: str, x: str, y: str) -> None:
    axes.set_title(name, fontsize=9)
    axes.set_xlabel(x, fontsize=7)
    axes.set_ylabel(y, fontsize=7)
    axes.tick_params(labelsize=6)


def _png(drawn: Figure) -> bytes:
    png = io.BytesIO()
    drawn.savefig(png, format="png", dpi=110)
    return png.getvalue()
