"""The normal part of a synthetic chest image: body, lungs, heart, mediastinum, diaphragm, ribs.

Coordinates: x from -1 (the patient's right) to 1, y from -1 (top) to 1. Density is what stops
X-rays, 0 to 1: air is dark, bone is white.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Field = NDArray[np.floating[Any]]  # [row, column] over the grid; single precision.
GRID = 256  # Finer than what a model sees of it; the rest of a larger image is interpolated.
RIGHT, LEFT = -1, 1  # Sides of the patient: an image shows the right one on its left.


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """What stays the same between the images of one patient."""

    body: float  # Half width.
    lung_x: float  # Distance of a lung's axis from the midline.
    lung_width: float  # Half width.
    apex: float  # y of the lungs' top.
    dome: dict[int, float]  # y of the diaphragm's highest point, by side.
    arch: float  # How far the diaphragm falls from there to the wall.
    heart: float  # Half width; about 0.36 of the thorax is normal here.
    heart_x: float
    heart_y: float
    mediastinum: float
    rib_spacing: float
    rib_phase: float
    rib_density: float
    clavicle: float  # y.
    tissue: float  # Density of what is around the lungs.
    air: float  # Density of the lungs.

    @classmethod
    def of(cls, rng: np.random.Generator) -> Anatomy:
        """Draw a patient."""
        dome = rng.normal(0.46, 0.05)
        return cls(
            body=rng.normal(0.93, 0.03),
            lung_x=rng.normal(0.42, 0.02),
            lung_width=rng.normal(0.36, 0.025),
            apex=rng.normal(-0.74, 0.04),
            dome={RIGHT: dome - 0.05, LEFT: dome},
            arch=rng.normal(0.22, 0.03),
            heart=rng.normal(0.30, 0.025),
            heart_x=rng.normal(0.12, 0.02),
            heart_y=rng.normal(0.26, 0.03),
            mediastinum=rng.normal(0.13, 0.015),
            rib_spacing=rng.normal(0.165, 0.01),
            rib_phase=rng.uniform(0, 1),
            rib_density=rng.normal(0.13, 0.02),
            clavicle=rng.normal(-0.66, 0.03),
            tissue=rng.normal(0.66, 0.03),
            air=rng.normal(0.24, 0.03),
        )

    def viewed(self, view: str, sex: str, rng: np.random.Generator) -> Anatomy:
        """Return it as one image shows it: breathing, projection, breasts' tissue."""
        breath = rng.normal(0, 0.035) - (0.05 if view == "AP" else 0.0)
        return replace(
            self,
            dome={side: y + breath for side, y in self.dome.items()},
            heart=self.heart * (1.12 if view == "AP" else 1.0),  # It is farther from the detector.
            tissue=self.tissue + (0.03 if sex == "F" else 0.0),
        )


@dataclass
class Chest:
    """One image in the making. Signs change `density`; the rest tells them where things are."""

    anatomy: Anatomy
    rng: np.random.Generator
    x: Field
    y: Field
    lung: dict[int, Field]  # Share of lung at each point, by side, 0 to 1.
    wall: dict[int, Field]  # 0 at a lung's axis, 1 at its border.
    above: dict[int, Field]  # Height above the diaphragm, by side.
    density: Field

    def texture(self, cells: int) -> Field:
        """Return smooth noise of about unit variance, `cells` across."""
        coarse = self.rng.standard_normal((cells, cells), dtype=np.float32)
        return _resized(coarse, GRID)

    def point_in(self, side: int, low: float = 0.0, high: float = 1.0) -> tuple[float, float]:
        """Return a point well inside a lung, between the shares `low` and `high` of its height."""
        a = self.anatomy
        x = side * (a.lung_x + a.lung_width * self.rng.uniform(-0.35, 0.6))
        top, bottom = a.apex + 0.18, a.dome[side] - 0.08
        return x, top + (bottom - top) * self.rng.uniform(low, high)


def ramp(distance: Field, width: float) -> Field:
    """Return a soft step: 0 below -width, 1 above width."""
    step: Field = np.clip(distance * (0.5 / width) + 0.5, 0, 1)
    return step


def bump(squared: Field) -> Field:
    """Return a soft disc of a squared distance: 1 at 0, 0 from 1 on."""
    return np.square(np.clip(1 - squared, 0, 1))


def chest(anatomy: Anatomy, rng: np.random.Generator) -> Chest:
    """Return a normal chest, positioned as a radiographer would: nearly."""
    x, y = _positioned(rng)
    lung, wall, above = {}, {}, {}
    for side in (RIGHT, LEFT):
        lung[side], wall[side], above[side] = _lung(anatomy, side, x, y)
    a = anatomy
    dx, dy = x - a.heart_x, y - a.heart_y
    long, short = 0.94 * dx + 0.34 * dy, 0.94 * dy - 0.34 * dx  # The apex points down and left.
    heart = 1 - np.square(long / a.heart) - np.square(short / 0.27)
    centre = np.maximum(
        ramp(heart, 0.12),
        ramp(a.mediastinum * (1 + 0.25 * np.square(y)) - np.abs(x - 0.02), 0.03),
    )
    for side in (RIGHT, LEFT):
        lung[side] *= 1 - 0.92 * centre
    made = Chest(anatomy, rng, x, y, lung, wall, above, density=np.zeros_like(x))
    made.density = _density(made)
    return made


def _positioned(rng: np.random.Generator) -> tuple[Field, Field]:
    angle, scale = rng.normal(0, 0.055), rng.normal(1.0, 0.07)
    shift_x, shift_y = rng.normal(0, 0.06), rng.normal(0, 0.06)
    line = np.linspace(-1, 1, GRID, dtype=np.float32)
    x, y = line[None, :], line[:, None]
    cos, sin = math.cos(angle) / scale, math.sin(angle) / scale
    return cos * x - sin * y + shift_x, sin * x + cos * y + shift_y


def _lung(a: Anatomy, side: int, x: Field, y: Field) -> tuple[Field, Field, Field]:
    """Return the lung's mask, the distance from its axis, and the height above its diaphragm."""
    bottom = a.dome[side] + a.arch
    depth = (y - a.apex) / (bottom - a.apex)
    width = a.lung_width * (0.70 + 0.34 * np.clip(depth, 0, 1))
    across = (x * side - a.lung_x) / width
    along = (y - (a.apex + bottom) / 2) / ((bottom - a.apex) / 2 * 1.08)
    border = np.sqrt(np.square(across) + np.square(np.square(along)))
    above = a.dome[side] + a.arch * np.square(across) - y
    return ramp(1 - border, 0.06) * ramp(above, 0.02), border, above


def _density(c: Chest) -> Field:
    """Return what the normal chest stops: tissue, vessels and hila, ribs, spine, clavicles."""
    a = c.anatomy
    lungs = c.lung[RIGHT] + c.lung[LEFT]
    body = ramp(a.body - 0.05 * c.y - np.abs(c.x), 0.05)
    thorax = ramp(1.12 - np.minimum(c.wall[RIGHT], c.wall[LEFT]), 0.1)
    vessels = np.abs(c.texture(40)) * 0.035 + c.texture(12) * 0.02
    hila = bump(np.square((np.abs(c.x) - a.mediastinum - 0.10) / 0.24) + np.square(c.y / 0.36))
    vessels += c.rng.uniform(0, 0.14) * hila
    density = a.tissue - (a.tissue - a.air) * lungs + vessels * lungs
    across = np.abs(c.x)
    arcs = (c.y + 0.42 * np.square(c.x) - 0.12 * across) / a.rib_spacing
    ribs = np.square(np.square(0.5 + 0.5 * np.cos(2 * np.pi * (arcs + a.rib_phase))))
    density += a.rib_density * ribs * thorax * (0.25 + 0.75 * lungs)
    spine = ramp(0.07 - across, 0.03) * (1 + 0.3 * np.cos(c.y * 40))
    clavicles = bump(np.square((c.y - a.clavicle + 0.12 * across) / 0.035))
    density += 0.06 * spine + 0.14 * clavicles * ramp(across - 0.12, 0.04)
    density *= body
    return density


def _resized(field: Field, size: int) -> Field:
    return np.asarray(Image.fromarray(field).resize((size, size), Image.Resampling.BICUBIC))
