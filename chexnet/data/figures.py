"""A report as a figure."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from chexnet.data.report import Report
from chexnet.data.splits import SPLITS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's, which the colour-blind can tell apart.
COLOURS = dict(zip(SPLITS, ("#0072B2", "#E69F00", "#009E73"), strict=True))


def figure(found: Report, title: str) -> bytes:
    """Return a PNG: findings by split, what comes together, and who the images are of."""
    from matplotlib.figure import Figure

    height = max(4.5, 0.28 * len(found.labels) + 1.5)
    drawn = Figure(figsize=(13, height + 3.2), layout="constrained")
    grid = drawn.add_gridspec(2, 1, height_ratios=[height, 3.2])
    above = grid[0].subgridspec(1, 2, width_ratios=[1, 1.15])
    left, right = (drawn.add_subplot(above[i]) for i in range(2))
    below = grid[1].subgridspec(1, len(found.details))
    _findings(left, found)
    _together(right, found)
    for place, (name, counts) in enumerate(found.details.items()):
        axes = drawn.add_subplot(below[place])
        axes.bar(list(counts), list(counts.values()), color="#56B4E9")
        axes.set_title(name)
        axes.tick_params(axis="x", rotation=45 if len(counts) > 5 else 0)
        axes.set_ylabel("images")
    drawn.suptitle(f"{title}: {found.images:,} images of {found.patients:,} patients")
    out = io.BytesIO()
    drawn.savefig(out, format="png", dpi=110)
    return out.getvalue()


def _findings(axes: Axes, found: Report) -> None:
    place = np.arange(len(found.labels))
    start = np.zeros(len(found.labels))
    for split in SPLITS:
        counts = np.array([found.positive[label].get(split, 0) for label in found.labels])
        axes.barh(place, counts, left=start, color=COLOURS[split], label=split)
        start += counts
    for row, total in zip(place, start, strict=True):
        axes.text(float(total), float(row), f" {int(total):,}", va="center", fontsize=8)
    axes.set_yticks(place, found.labels)
    axes.invert_yaxis()
    axes.set_xlabel(f"images with the finding; {found.none:,} have none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def _together(axes: Axes, found: Report) -> None:
    """Draw, of the images with the row's finding, the share that has the column's too."""
    both = np.array(found.together, dtype=float)
    own = np.maximum(np.diag(both), 1)[:, None]
    share = np.ma.masked_array(both / own, np.eye(len(both), dtype=bool))
    drawn = axes.imshow(share, cmap="cividis", vmin=0)
    axes.set_xticks(range(len(found.labels)), found.labels, rotation=60, ha="right", fontsize=8)
    axes.set_yticks(range(len(found.labels)), found.labels, fontsize=8)
    axes.set_title("of images with the row's finding, the share with the column's")
    axes.figure.colorbar(drawn, ax=axes, shrink=0.8)
