"""Synthetic pulse traces with known findings, as the files that a person would upload."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from chexnet_waveform.input import Waveform
from numpy.typing import NDArray

RATE = 64  # Samples a second.
SECONDS = 8


class Signal(NamedTuple):
    """One file, whose it is, and what is in it."""

    name: str
    data: bytes
    patient: str
    findings: dict[str, bool]


def draw(count: int, seed: int = 0, start: int = 0) -> Iterator[Signal]:
    """Yield `count` traces; each is the same for its number and `seed`. Two belong to a patient."""
    for number in range(start, start + count):
        random = np.random.default_rng((seed, number))
        findings = dict(zip(Waveform.labels, (random.random(3) < 0.4).tolist(), strict=True))
        patient = f"P{number // 2:05d}"
        values = _trace(random, **{label.lower(): has for label, has in findings.items()})
        head = f"# patient: {patient}\n# issuer: signals\n"
        body = "\n".join(f"{v:.4f}" for v in values)
        yield Signal(f"trace-{number:05d}.csv", f"{head}{body}\n".encode(), patient, findings)


def _trace(
    random: np.random.Generator, *, fast: bool, irregular: bool, dropout: bool
) -> NDArray[np.float64]:
    seconds = np.arange(RATE * SECONDS) / RATE
    period = random.uniform(0.42, 0.55) if fast else random.uniform(0.75, 1.0)
    spread = 0.25 if irregular else 0.02
    beats = np.cumsum(period * (1 + spread * random.standard_normal(40)).clip(0.4, 1.8))
    nearest = seconds[:, None] - beats[None, :]
    pulse = np.exp(-((nearest / 0.05) ** 2)).sum(axis=1)
    wave = pulse + 0.15 * np.sin(2 * np.pi * 0.2 * seconds + random.uniform(0, 6))
    if dropout:
        begin = random.integers(0, len(wave) - 2 * RATE)
        wave[begin : begin + int(1.6 * RATE)] = 0
    return np.asarray(wave + 0.05 * random.standard_normal(len(wave)) - 0.2)


def write(folder: Path, count: int, seed: int = 0) -> None:
    """Write `count` traces and their labels.csv, as `chexnet data import` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "patient", *Waveform.labels])
        for signal in draw(count, seed):
            (folder / signal.name).write_bytes(signal.data)
            found = (int(has) for has in signal.findings.values())
            table.writerow([signal.name, signal.patient, *found])
