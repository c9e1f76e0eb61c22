"""The signs that phantoms can show, by finding: each a caricature of what a radiologist looks for.

`RESHAPE` changes the anatomy before it is drawn, `PLANT` the density after.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from chexnet.data.anatomy import LEFT, RIGHT, Anatomy, Chest, Field, bump, ramp


def _side(c: Chest) -> int:
    return RIGHT if c.rng.random() < 0.5 else LEFT


def _patch(c: Chest, side: int, size: tuple[float, float], low: float, high: float) -> Field:
    """Return an ill-defined region inside one lung, 0 to 1."""
    x, y = c.point_in(side, low, high)
    width, height = c.rng.uniform(*size), c.rng.uniform(*size)
    ragged = 0.35 * c.texture(16)
    squared = np.square((c.x - x) / width) + np.square((c.y - y) / height)
    return bump(squared + ragged * np.minimum(squared, 1)) * c.lung[side]


def _line(c: Chest, at: tuple[float, float], angle: float, length: float, width: float) -> Field:
    """Return a straight streak, 0 to 1."""
    dx, dy = c.x - at[0], c.y - at[1]
    along = (dx * math.cos(angle) + dy * math.sin(angle)) / length
    across = (dy * math.cos(angle) - dx * math.sin(angle)) / width
    return bump(np.square(across) + np.square(np.square(along)))


def atelectasis(c: Chest, contrast: float) -> None:
    """Plates: one or two bands, nearly level, in the middle or lower lung."""
    side = _side(c)
    for _ in range(c.rng.integers(1, 3)):
        at = c.point_in(side, 0.5, 1.0)
        band = _line(c, at, c.rng.normal(0, 0.35), c.rng.uniform(0.14, 0.24), 0.026)
        c.density += 0.30 * contrast * band * c.lung[side]


def effusion(c: Chest, contrast: float) -> None:
    """Fluid: it fills the angle between diaphragm and wall, its surface rising to the wall."""
    side = _side(c)
    level = c.rng.uniform(0.10, 0.30)
    rise = np.square(np.square(np.clip(c.wall[side], 0, 1))) * 0.16
    filled = ramp(level - 0.12 + rise - c.above[side] + c.rng.normal(0, 0.01), 0.03)
    outer = ramp(c.x * side - c.anatomy.lung_x, 0.25)
    covered = filled * outer * c.lung[side] * min(0.8 * contrast, 1)
    c.density += (c.anatomy.tissue - c.density) * covered


def infiltration(c: Chest, contrast: float) -> None:
    """Faint spots, close together, in a region without borders."""
    side = _side(c)
    region = _patch(c, side, (0.20, 0.30), 0.0, 1.0)
    spots = np.clip(c.texture(52) - 0.3, 0, 1.5)
    c.density += 0.26 * contrast * spots * region


def mass(c: Chest, contrast: float) -> None:
    """A round opacity with a sharp border, 3 cm or more."""
    side = _side(c)
    _round(c, side, c.rng.uniform(0.085, 0.13), 0.30 * contrast)


def nodule(c: Chest, contrast: float) -> None:
    """One to three small round opacities."""
    for _ in range(c.rng.integers(1, 4)):
        _round(c, _side(c), c.rng.uniform(0.032, 0.045), 0.36 * contrast)


def _round(c: Chest, side: int, radius: float, density: float) -> None:
    x, y = c.point_in(side)
    squared = np.square(c.x - x) + np.square(c.y - y)
    disc = ramp(1 - squared / radius**2, 0.35)
    c.density += density * disc * np.maximum(c.lung[side], 0.3)


def pneumonia(c: Chest, contrast: float) -> None:
    """A dense patch crossed by dark air-filled bronchi."""
    side = _side(c)
    patch = _patch(c, side, (0.16, 0.24), 0.3, 1.0)
    x, y = c.point_in(side, 0.6, 0.8)
    angle = np.arctan2(c.y - y, (c.x - x) * side)
    bronchi = ramp(np.cos(angle * 9 + c.rng.uniform(0, 6)) - 0.35, 0.3)
    c.density += 0.32 * contrast * patch * (1 - 0.9 * bronchi)


def pneumothorax(c: Chest, contrast: float) -> None:
    """Air outside the lung: a dark rim without markings, inside it the thin line of the pleura."""
    side = _side(c)
    inner = c.rng.uniform(0.68, 0.80)
    upper = ramp(c.anatomy.apex + c.rng.uniform(0.55, 0.95) - c.y, 0.15)
    outer = ramp(c.x * side - (c.anatomy.lung_x - 0.15), 0.15)
    rim = ramp(c.wall[side] - inner, 0.02) * upper * outer * c.lung[side]
    flat = c.anatomy.air * 0.45
    c.density += (flat - c.density) * rim * min(0.85 * contrast, 1)
    line = bump(np.square((c.wall[side] - inner) / 0.045))
    c.density += 0.16 * contrast * line * upper * outer * c.lung[side]


def consolidation(c: Chest, contrast: float) -> None:
    """A dense, even region that ends at a straight fissure."""
    side = _side(c)
    x, y = c.point_in(side, 0.3, 0.9)
    tilt = c.rng.normal(0, 0.25)
    below = c.y - y - tilt * (c.x - x)
    up = 1 if c.rng.random() < 0.5 else -1
    extent = np.square((c.x - x) / 0.26) + np.square(below / c.rng.uniform(0.2, 0.3))
    region = ramp(up * below, 0.015) * ramp(1 - extent, 0.5) * c.lung[side]
    c.density += 0.26 * contrast * region


def edema(c: Chest, contrast: float) -> None:
    """Haze around both hila, and short level lines at the walls (Kerley B)."""
    for side in (RIGHT, LEFT):
        centre = side * (c.anatomy.mediastinum + 0.10)
        squared = np.square((c.x - centre) / 0.26) + np.square((c.y - 0.02) / 0.40)
        haze = bump(squared) * (0.7 + 0.5 * c.texture(24))
        c.density += 0.11 * contrast * haze * c.lung[side]
        level = np.square(ramp(np.cos(c.y * 2 * np.pi / 0.055) - 0.2, 0.4))
        zone = ramp(c.wall[side] - 0.62, 0.08) * ramp(0.55 - c.above[side], 0.1)
        outer = ramp(c.x * side - c.anatomy.lung_x, 0.05)
        c.density += 0.14 * contrast * level * zone * outer * c.lung[side]


def emphysema(c: Chest, contrast: float) -> None:
    """Dark bullae with thin walls, most of them high up. The diaphragm is flat: see RESHAPE."""
    for _ in range(c.rng.integers(3, 7)):
        side = _side(c)
        x, y = c.point_in(side, 0.0, 0.7)
        r = np.sqrt(np.square(c.x - x) + np.square(c.y - y))
        r /= c.rng.uniform(0.06, 0.11)
        inside = ramp(1 - r, 0.12) * c.lung[side]
        rim = bump(np.square((r - 1) / 0.22)) * c.lung[side]
        c.density += contrast * (0.10 * rim - 0.12 * inside)


def fibrosis(c: Chest, contrast: float) -> None:
    """A net of fine lines in the lower outer parts of both lungs."""
    net = np.minimum(np.abs(c.texture(44)), np.abs(c.texture(44)))
    lines = np.clip(1 - net / 0.22, 0, 1)
    for side in (RIGHT, LEFT):
        zone = ramp(c.rng.uniform(0.3, 0.5) - c.above[side], 0.15) * ramp(c.wall[side] - 0.35, 0.25)
        c.density += 0.26 * contrast * lines * zone * c.lung[side]


def pleural_thickening(c: Chest, contrast: float) -> None:
    """A band of uneven width along the outer wall."""
    side = _side(c)
    start = c.rng.uniform(-0.5, 0.0)
    length = ramp(c.y - start, 0.06) * ramp(start + c.rng.uniform(0.3, 0.5) - c.y, 0.06)
    thick = 0.80 + 0.06 * c.texture(14)
    outer = ramp(c.x * side - c.anatomy.lung_x, 0.05)
    band = ramp(c.wall[side] - thick, 0.03) * length * outer
    c.density += 0.36 * contrast * band * np.clip(c.lung[side] * 2, 0, 1)


def hernia(c: Chest, contrast: float) -> None:
    """The stomach behind the heart: a round wall, air above a level fluid surface."""
    x, y = c.rng.normal(0.06, 0.09), c.anatomy.dome[LEFT] - c.rng.uniform(0.06, 0.30)
    radius = c.rng.uniform(0.08, 0.14)
    r = np.sqrt(np.square(c.x - x) + np.square(c.y - y))
    r /= radius
    air = ramp(1 - r, 0.08) * ramp(y - c.y, 0.012)
    wall = bump(np.square((r - 1) / 0.22))
    c.density += contrast * (0.14 * wall - 0.18 * air)


def _enlarge_heart(a: Anatomy, rng: np.random.Generator, contrast: float) -> Anatomy:
    grown = 1 + contrast * rng.uniform(0.22, 0.40)
    return replace(a, heart=a.heart * grown, heart_x=a.heart_x + 0.04 * contrast)


def _flatten_diaphragm(a: Anatomy, rng: np.random.Generator, contrast: float) -> Anatomy:
    low = contrast * rng.uniform(0.0, 0.06)
    return replace(
        a,
        dome={side: y + low for side, y in a.dome.items()},
        arch=a.arch * (1 - min(0.4 * contrast, 0.9)),
    )


RESHAPE: dict[str, Callable[[Anatomy, np.random.Generator, float], Anatomy]] = {
    "Cardiomegaly": _enlarge_heart,
    "Emphysema": _flatten_diaphragm,
}
PLANT: dict[str, Callable[[Chest, float], None]] = {
    "Edema": edema,
    "Infiltration": infiltration,
    "Pneumonia": pneumonia,
    "Consolidation": consolidation,
    "Fibrosis": fibrosis,
    "Emphysema": emphysema,
    "Atelectasis": atelectasis,
    "Mass": mass,
    "Nodule": nodule,
    "Hernia": hernia,
    "Pleural_Thickening": pleural_thickening,
    "Effusion": effusion,
    "Pneumothorax": pneumothorax,  # Last: where the lung has left there is no sign in it.
}
