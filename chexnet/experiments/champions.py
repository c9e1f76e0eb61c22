"""Which version was champion when, who put it there, and on what evidence: read off the audit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from msgspec import Struct, structs

from chexnet.messages import Audit, Control, Experiment


class Champion(Struct, frozen=True, kw_only=True):
    """One version's time as champion."""

    version: int
    since: datetime
    until: datetime | None = None  # None: it is champion still.
    put_by: Audit  # The decision, with its evidence.
    experiment: Experiment | None = None  # Which that decision ended.

    def was(self, day: date) -> bool:
        """Return whether it was champion at any moment of `day`, in UTC."""
        begin = datetime.combine(day, time(), UTC)
        return self.since < begin + timedelta(days=1) and (self.until is None or self.until > begin)


def changes(entries: Iterable[Audit]) -> Iterator[tuple[Control | None, Audit]]:
    """Yield each entry that changed control, after the control that stood before it."""
    before: Control | None = None
    for entry in entries:
        if entry.control is not None:
            yield before, entry
            before = entry.control


def champions(entries: Iterable[Audit]) -> list[Champion]:
    """Return all champions of one served model, the first one first.

    Args:
        entries: the model's whole audit, oldest first.
    """
    found: list[Champion] = []
    for before, entry in changes(entries):
        now = entry.control.champion if entry.control else None
        if now == (before.champion if before else None):
            continue
        if found and found[-1].until is None:
            found[-1] = structs.replace(found[-1], until=entry.at)
        if now is not None:
            compared = before.experiment if before and entry.action == "promote" else None
            found.append(Champion(version=now, since=entry.at, put_by=entry, experiment=compared))
    return found


def grounds(champion: Champion) -> str:
    """Return in one line what the decision rested on; the audit has it in full."""
    entry, name = champion.put_by, champion.experiment.name if champion.experiment else ""
    if entry.action == "rollback":
        return f"rolled back from version {entry.evidence.get('from', '?')}"
    if missing := entry.evidence.get("missing"):
        count = f"{len(missing)} point" + ("s" if len(missing) > 1 else "")
        return f"forced, {count} missing" + (f" in {name}" if name else "")
    if comparison := entry.evidence.get("comparison"):
        return f"{name}: {_difference(comparison)}"
    return "the first: nothing to compare with"


def _difference(comparison: dict[str, Any]) -> str:
    """Return the difference that decided, as the evidence has it."""
    metric = comparison.get("metric", "macro_auroc")
    of = comparison.get("sequential") if metric == "brier" else comparison
    if not (interval := (of or {}).get("difference")):
        return f"{metric}, no difference on record"
    low, high = interval["low"], interval["high"]
    return f"{metric} {interval['value']:+.4f} ({low:+.4f} to {high:+.4f})"
