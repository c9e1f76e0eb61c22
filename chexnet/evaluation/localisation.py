"""Whether a heat map points at the finding: its boxes against those that a radiologist drew.

As Wang et al. 2017 (arXiv:1705.02315, 4.2) do it: the map is stretched to 0..255 and cut at 60 and
at 180; each isolated region of either gives a box. A drawn box counts as found if a box of the map
overlaps it by more than a threshold; a box of the map that overlaps no drawn one so is a false
positive. The overlap is measured as IoU, and as IoBB: the share of the map's box that is inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from chexnet.evaluation.delong import Interval
from chexnet.evaluation.means import average, proportion
from chexnet.evaluation.scored import Floats

CUTS = (60, 180)
GRID = 256  # Rows and columns of the enlarged map.
THRESHOLDS = {
    "IoU": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
    "IoBB": (0.1, 0.25, 0.5, 0.75, 0.9),
}


class Box(Struct, frozen=True, kw_only=True):
    """A rectangle that a radiologist drew: edges as shares of the image's width and height."""

    image: str
    label: str
    left: float
    top: float
    right: float
    bottom: float

    @property
    def edges(self) -> Floats:
        """Left, top, right, bottom."""
        return np.array([self.left, self.top, self.right, self.bottom])


class Located(Struct, frozen=True, kw_only=True):
    """How well one finding was located, by one measure at one threshold."""

    label: str
    measure: str  # IoU or IoBB.
    threshold: float
    boxes: int
    images: int
    patients: int
    found: float  # The share of drawn boxes.
    found_interval: Interval | None  # None where all boxes are of one patient.
    false_positives: float  # Boxes of the map, per image.
    false_positives_interval: Interval | None


def locate(
    maps: Mapping[str, NDArray[np.float32]],
    boxes: Iterable[Box],
    labels: Sequence[str],
    patient: Mapping[str, str],
    confidence: float,
) -> list[Located]:
    """Return, for each finding that has boxes, each measure and each threshold, how it was located.

    Args:
        maps: image → [L, h, w].
        boxes: of these images; those of other images are left out.
        labels: L names; boxes of other labels are left out.
        patient: image → whose it is.
        confidence: of the intervals.
    """
    drawn: dict[str, dict[str, list[Floats]]] = {label: {} for label in labels}
    for box in boxes:
        if box.image in maps and box.label in drawn:
            drawn[box.label].setdefault(box.image, []).append(box.edges)
    located = []
    for number, label in enumerate(labels):
        found = {
            image: (_best(overlaps(regions(maps[image][number]), np.stack(edges))), len(edges))
            for image, edges in drawn[label].items()
        }
        if found:
            located += _located(label, found, patient, confidence)
    return located


_Best = dict[str, tuple[Floats, Floats]]  # Measure → of each drawn box, and of each of the map.


def _best(overlap: dict[str, Floats]) -> _Best:
    return {
        name: (table.max(axis=0, initial=0), table.max(axis=1, initial=0))
        for name, table in overlap.items()
    }


def _located(
    label: str,
    found: Mapping[str, tuple[_Best, int]],
    patient: Mapping[str, str],
    confidence: float,
) -> list[Located]:
    _, of_image = np.unique([patient[image] for image in found], return_inverse=True)
    of_box = np.repeat(of_image, [count for _, count in found.values()])
    patients = int(of_image.max()) + 1
    results = []
    for measure, thresholds in THRESHOLDS.items():
        for threshold in thresholds:
            hit = np.concatenate([best[measure][0] > threshold for best, _ in found.values()])
            wrong = [float((best[measure][1] <= threshold).sum()) for best, _ in found.values()]
            alarms = np.array(wrong)
            enough = patients > 1
            results.append(
                Located(
                    label=label,
                    measure=measure,
                    threshold=threshold,
                    boxes=len(hit),
                    images=len(found),
                    patients=patients,
                    found=float(hit.mean()),
                    found_interval=proportion(hit, of_box, confidence) if enough else None,
                    false_positives=float(alarms.mean()),
                    false_positives_interval=(
                        average(alarms, of_image, confidence) if enough else None
                    ),
                )
            )
    return results


def regions(cam: NDArray[np.float32]) -> Floats:
    """Return the boxes [K, 4] of a map's isolated regions, edges as shares of the image.

    A map that is the same everywhere points nowhere and has none.
    """
    low, high = float(cam.min()), float(cam.max())
    if high <= low:
        return np.empty((0, 4))
    grey = Image.fromarray(((cam - low) * (255 / (high - low))).astype(np.float32))
    large = np.asarray(grey.resize((GRID, GRID), Image.Resampling.BILINEAR))
    boxes = []
    for cut in CUTS:
        marked, _ = ndimage.label(large >= cut, structure=np.ones((3, 3)))  # Corners touch.
        for rows, columns in ndimage.find_objects(marked):
            boxes.append([columns.start, rows.start, columns.stop, rows.stop])
    return np.array(boxes, float).reshape(-1, 4) / GRID


def overlaps(found: Floats, drawn: Floats) -> dict[str, Floats]:
    """Return IoU and IoBB of each pair.

    Args:
        found: [K, 4] boxes of the map.
        drawn: [D, 4] boxes of a radiologist.

    Returns:
        Measure → [K, D], 0 to 1. IoBB is the intersection over the map's box.
    """
    corner = np.maximum(found[:, None, :2], drawn[None, :, :2])
    other = np.minimum(found[:, None, 2:], drawn[None, :, 2:])
    shared = np.clip(other - corner, 0, None).prod(axis=2)
    own, theirs = ((b[:, 2:] - b[:, :2]).prod(axis=1) for b in (found, drawn))
    return {
        "IoU": shared / (own[:, None] + theirs[None] - shared),
        "IoBB": shared / own[:, None],
    }
