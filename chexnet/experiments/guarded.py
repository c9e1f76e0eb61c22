"""What the guardian has on record of the challengers of a running experiment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from chexnet.messages import Audit, Control


class Guarded(Struct, frozen=True, kw_only=True):
    """Of one version, since its experiment started."""

    watched: dict[str, Any] | None = None  # Enough was seen, and all was well: with the figures.
    breaches: tuple[dict[str, Any], ...] = ()  # Guardrails that it was to blame for.


def guarded(control: Control, entries: Iterable[Audit]) -> dict[str, Guarded]:
    """Return version, as JSON has its keys → what is on record of it.

    Args:
        control: with the experiment, which may have ended.
        entries: the model's audit, oldest first.
    """
    watched: dict[str, dict[str, Any]] = {}
    breaches: dict[str, list[dict[str, Any]]] = {}
    running = False  # Else what is said of a version is of another experiment, or of none.
    for entry in entries:
        version = str(entry.evidence.get("version"))
        if entry.control is not None:
            running = entry.control.experiment_name == control.experiment_name
        elif not running:
            continue
        elif entry.action == "watched":
            watched[version] = {**entry.evidence, "at": entry.at.isoformat()}
        elif entry.action == "breach" and entry.evidence.get("blamed"):
            breaches.setdefault(version, []).append(entry.evidence)
    return {
        v: Guarded(watched=watched.get(v), breaches=tuple(breaches.get(v, ())))
        for v in map(str, control.arms.values())
    }
