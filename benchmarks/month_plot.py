"""The figure of the month: who answered, what the sequence said, and who decided what."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from chexnet.messages import Audit, Prediction

NAMES = {1: "A", 2: "B", 3: "C"}
INKS = {1: "#86A9C4", 2: "#00639C", 3: "#B84F00"}
SHOWN = {"start", "stop", "expose", "promote", "rollback", "breach"}


def draw(
    out: Path,
    answers: Sequence[Prediction],
    looks: Sequence[tuple[float, float, float, float]],
    entries: Sequence[Audit],
    start: datetime,
) -> None:
    """Draw the month into a file."""
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    told, above, below = figure.subplots(3, 1, sharex=True, height_ratios=(1.5, 1.1, 1))
    _events(told, entries, start)
    _answers(above, answers, start)
    days, value, low, high = np.array(looks).T
    below.fill_between(days, low, high, alpha=0.3, color=INKS[2])
    below.plot(days, value, color=INKS[2])
    below.axhline(0, color="grey", linestyle="--", linewidth=1)
    below.set(ylabel="Brier loss, A - B", xlabel="day", xlim=(0, 30))
    below.set_title("The sequence that decides, looked at every morning", loc="left", fontsize=10)
    figure.savefig(out, dpi=110)


def _answers(axes, answers, start) -> None:
    half = np.array([(p.predicted_at - start).total_seconds() // 43200 / 2 for p in answers])
    version = np.array([p.version for p in answers])
    steps = np.arange(0, half.max() + 0.5, 0.5)
    total = np.array([(half == step).sum() for step in steps])
    base = np.zeros(len(steps))
    for which, ink in INKS.items():
        share = np.array([((half == s) & (version == which)).sum() for s in steps]) / total
        axes.bar(steps + 0.25, share, 0.5, bottom=base, color=ink, label=NAMES[which])
        base += share
    axes.set(ylabel="share of answers", ylim=(0, 1))
    axes.legend(loc="center left", ncols=3, fontsize=9)
    axes.set_title("Which version answered", loc="left", fontsize=10)


def _events(axes, entries, start) -> None:
    shown = [e for e in entries if e.action in SHOWN]
    seen: set[tuple[str, int]] = set()
    rows = [0.0] * 5  # Where each row of texts is free again.
    for entry in shown:
        day = (entry.at - start).total_seconds() / 86400
        if entry.action == "breach" and not entry.evidence.get("blamed"):
            continue  # Told, and nothing was decided on it.
        if entry.action == "breach" and (entry.action, entry.before) in seen:
            continue  # One of several that were passed together.
        seen.add((entry.action, entry.before))
        text = _words(entry)
        row = next((n for n, free in enumerate(rows) if free <= day), len(rows) - 1)
        rows[row] = day + 0.27 * len(text)
        ink = INKS[3] if entry.who == "guardian" and entry.action != "expose" else "black"
        axes.plot([day, day], [0, row + 0.6], color="#cccccc", linewidth=0.8, zorder=0)
        axes.text(day, row + 0.6, text, fontsize=8, color=ink)
    axes.set(ylim=(0, len(rows) + 0.6), yticks=[])
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.set_title("What the audit has (orange: by the guardian)", loc="left", fontsize=10)


def _words(entry: Audit) -> str:
    control = entry.control
    match entry.action:
        case "start" if control and control.experiment:
            return f"{entry.who} starts {control.experiment.name}"
        case "expose" if control:
            return f"to {control.exposure:.0%}"
        case "promote" if control:
            how = "forces" if entry.forced else "promotes"
            return f"{entry.who} {how} {NAMES[control.champion or 0]}"
        case "rollback" if control:
            return f"back to {NAMES[control.champion or 0]}"
        case "breach":
            return f"breach: {entry.evidence['guardrail']}"
    return f"{entry.who} stops it" if entry.who != "guardian" else "stopped"
