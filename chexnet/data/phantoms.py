"""Phantoms: synthetic chest images of synthetic patients. Nobody's X-ray; for demos and tests.

Patients come back with the same anatomy, findings go together as they do in life, and every image
says in its corner what it is. The same seed and count give the same bytes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.special import ndtri

from chexnet.data.anatomy import Anatomy, chest
from chexnet.data.labels import LABELS_FILE
from chexnet.data.parallel import spread
from chexnet.data.signs import PLANT, RESHAPE
from chexnet.inputs.labels import FINDINGS

SIZE = 512  # Rows and columns of a phantom.
CAPTION = "SYNTHETIC PHANTOM"
# What goes together: a finding's share of a common cause. The rest of its variance is its own.
CAUSES: tuple[dict[str, float], ...] = (
    {"Cardiomegaly": 0.6, "Edema": 0.7, "Effusion": 0.5},
    {"Pneumonia": 0.6, "Infiltration": 0.6, "Consolidation": 0.6, "Atelectasis": 0.3},
    {"Mass": 0.5, "Nodule": 0.5, "Effusion": 0.3, "Atelectasis": 0.4},
    {"Fibrosis": 0.5, "Pleural_Thickening": 0.5},
    {"Emphysema": 0.5, "Pneumothorax": 0.5},
)
PREVALENCE = 0.13  # Of each finding: enough of all for a small experiment.


@dataclass(frozen=True, kw_only=True)
class Phantom:
    """One image to come: whose, and what it shows."""

    seed: int
    number: int  # Of the patient.
    visit: int
    sex: Literal["F", "M"]
    age: int
    view: Literal["PA", "AP"]
    findings: frozenset[str]

    @property
    def patient(self) -> str:
        """The patient's name. Another seed has other patients."""
        return f"phantom-{self.seed}-{self.number:06d}"

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.patient}-{self.visit}.png"


def plan(count: int, seed: int, *, visits: int = 6) -> list[Phantom]:
    """Return `count` phantoms: who comes how often (at most `visits` times), with what."""
    planned: list[Phantom] = []
    number = 0
    while len(planned) < count:
        rng = np.random.default_rng([seed, number])
        sex: Literal["F", "M"] = "F" if rng.random() < 0.45 else "M"
        age = int(np.clip(rng.normal(52, 17), 18, 95))
        causes = rng.standard_normal(len(CAUSES))
        for visit in range(min(int(rng.geometric(0.55)), visits, count - len(planned))):
            view: Literal["PA", "AP"] = "AP" if rng.random() < 0.3 else "PA"
            found = _findings(causes, rng)
            planned.append(
                Phantom(
                    seed=seed,
                    number=number,
                    visit=visit,
                    sex=sex,
                    age=age,
                    view=view,
                    findings=found,
                )
            )
        number += 1
    return planned


def _findings(causes: NDArray[np.float64], rng: np.random.Generator) -> frozenset[str]:
    found = set()
    for name in FINDINGS:
        shares = np.array([cause.get(name, 0.0) for cause in CAUSES])
        own = np.sqrt(1 - np.square(shares).sum())
        if shares @ causes + own * rng.standard_normal() > -ndtri(PREVALENCE):
            found.add(name)
    return frozenset(found)


def render(phantom: Phantom, *, contrast: float = 1.0, size: int = SIZE) -> NDArray[np.uint8]:
    """Return the image, uint8 [size, size].

    Args:
        phantom: from `plan`.
        contrast: of the signs; 0 hides them, 2 makes them plain.
        size: rows and columns.
    """
    anatomy = Anatomy.of(np.random.default_rng([phantom.seed, phantom.number, 1]))
    rng = np.random.default_rng([phantom.seed, phantom.number, 2, phantom.visit])
    anatomy = anatomy.viewed(phantom.view, phantom.sex, rng)
    for name, reshape in RESHAPE.items():
        if name in phantom.findings:
            anatomy = reshape(anatomy, rng, contrast)
    drawn = chest(anatomy, rng)
    for name, plant in PLANT.items():
        if name in phantom.findings:
            plant(drawn, contrast)
    return _exposed(drawn.density, rng, size)


def _exposed(
    density: NDArray[np.float32], rng: np.random.Generator, size: int
) -> NDArray[np.uint8]:
    """Return what the detector gives of a density: exposure, contrast curve, noise, caption."""
    level = np.clip(density, 0, 1.2) ** np.float32(rng.uniform(0.8, 1.25))
    level = level * np.float32(rng.normal(225, 18)) + np.float32(rng.normal(8, 8))
    picture = Image.fromarray(level).resize((size, size), Image.Resampling.BILINEAR)
    noise = rng.integers(-12, 13, (size, size), dtype=np.int8)
    noisy = np.asarray(picture) + noise
    captioned = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    font = ImageFont.load_default(max(size // 40, 6))
    draw, corner = ImageDraw.Draw(captioned), (size // 50, size // 50)
    draw.rectangle(draw.textbbox(corner, CAPTION, font=font), fill=0)
    draw.text(corner, CAPTION, fill=255, font=font)
    return np.asarray(captioned)


def png(image: NDArray[np.uint8]) -> bytes:
    """Return the image as PNG. It has no text chunk: gateways refuse those as possible identity."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def write(
    folder: Path,
    phantoms: Sequence[Phantom],
    *,
    contrast: float = 1.0,
    size: int = SIZE,
    processes: int | None = None,
) -> Iterator[str]:
    """Write each phantom as PNG, and `labels.csv` for all; yield a file's name when it is there.

    Args:
        folder: made where it is missing.
        phantoms: from `plan`.
        contrast: see `render`.
        size: see `render`.
        processes: how many work; by default one for each CPU that this process may use.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save = partial(_save, folder, contrast=contrast, size=size)
    yield from spread(save, phantoms, processes)
    with (folder / LABELS_FILE).open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file", "patient", "visit", "sex", "age", "view", *FINDINGS])
        for p in phantoms:
            found = [int(name in p.findings) for name in FINDINGS]
            table.writerow([p.file, p.patient, p.visit, p.sex, p.age, p.view, *found])


def _save(folder: Path, phantom: Phantom, *, contrast: float, size: int) -> str:
    (folder / phantom.file).write_bytes(png(render(phantom, contrast=contrast, size=size)))
    return phantom.file
