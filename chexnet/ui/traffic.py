"""Who is answered by what, minute by minute: read from the predictions, each of them once."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from chexnet import topics
from chexnet.errors import BadInput
from chexnet.messages import Message, Prediction, decode, now
from chexnet.steps.ports import Bus, Reader

SPAN = timedelta(hours=1)


class Traffic:
    """Counts the answers of the last hour by arm and version."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._reader: Reader | None = None
        self._counts: Counter[tuple[int, str]] = Counter()  # By minute since 1970, and who.

    def look(self) -> dict[str, Any]:
        """Return the counts of each minute of the last hour, the newest last."""
        self._reader = self._reader or self._bus.read([topics.PREDICTIONS], start=now() - SPAN)
        for message in self._reader.to_end():
            self._count(message)
        last = _minute(now())
        minutes = range(last - int(SPAN / timedelta(minutes=1)) + 1, last + 1)
        kept = {key: n for key, n in self._counts.items() if key[0] in minutes}
        self._counts = Counter(kept)
        who = sorted({name for _, name in kept})
        return {
            "minutes": len(minutes),
            "series": [
                {"name": name, "values": [kept.get((m, name), 0) for m in minutes]} for name in who
            ],
        }

    def _count(self, message: Message) -> None:
        try:
            made = decode(message, Prediction)
        except BadInput:  # Of a newer schema: another look's matter.
            return
        self._counts[_minute(made.predicted_at), f"{made.arm}, version {made.version}"] += 1


def _minute(at: datetime) -> int:
    return int(at.timestamp() // 60)
