"""The figures of docs/statistics.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure


def peeking(out: Path, at: np.ndarray, wrong: dict, band: tuple) -> None:
    """Draw false positives over looks, and one sequence."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for way, share in wrong.items():
        left.plot(at, share, label=way)
    left.axhline(0.05, color="grey", linestyle="--", linewidth=1)
    left.set(xlabel="patients, a look after each", ylabel="share of experiments wrong by then")
    left.set_title("Two equal models, 95 %")
    left.legend()
    mean, low, high = band
    patients = np.arange(1, len(mean) + 1)
    right.fill_between(patients, low, high, alpha=0.3)
    right.plot(patients, mean)
    right.axhline(0, color="grey", linestyle="--", linewidth=1)
    right.axvline(int(np.argmax(low > 0)), color="tab:red", linewidth=1)
    right.set(xlabel="patients", ylabel="Brier loss, champion - challenger", ylim=(-0.1, 0.15))
    right.set_title("A better challenger; red: decided")
    figure.savefig(out, dpi=110)


def readers(out: Path, anchored: tuple, curve: tuple) -> None:
    """Draw the bias of assisted reads, and planned against simulated power."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    anchors, measured, truth = anchored
    left.errorbar(100 * anchors, measured[:, 0], yerr=1.96 * measured[:, 1], marker="o")
    left.axhline(truth, color="grey", linestyle="--", linewidth=1)
    left.axhline(0, color="black", linewidth=1)
    left.set(xlabel="reads taken over from the champion, %", ylabel="AUROC, challenger - champion")
    left.set_title("Assisted reads; dashed: the truth")
    sizes, planned, opened = curve
    right.plot(sizes, planned, label="planned")
    right.plot(sizes, opened, "o", label="simulated")
    right.set(xlabel="patients, shadow", ylabel="power of the sequence", xscale="log")
    right.legend()
    figure.savefig(out, dpi=110)
