"""A datum's log, as its transform writes it."""

from __future__ import annotations

import threading
import time

LIMIT = 2**20  # Bytes of one datum's log that are kept.
# What is kept at a time: a chunk that is not full is written again with all that is added to it.
ENOUGH, EVERY = 4096, 5.0  # Bytes; seconds.
_CUT = b"\n[the rest of the log is left out]\n"


class Log:
    """Takes what is said, and gives it to who keeps it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._new = bytearray()
        self._last = b""
        self._room = LIMIT
        self._next = 0.0  # When little is given too; the first words at once.

    def say(self, data: bytes) -> None:
        """Add to the log, up to its limit."""
        with self._lock:
            kept = data[: self._room]
            self._new += kept
            self._last = (self._last + data)[-2000:]
            if self._room and len(data) >= self._room:
                self._new += _CUT
            self._room -= len(kept)

    def take(self, *, all_: bool) -> bytes:
        """Return what came since the last call, if it is enough or has waited, or if `all_` is."""
        with self._lock:
            now = time.monotonic()
            if not (all_ or len(self._new) >= ENOUGH or now >= self._next):
                return b""
            data, self._new = bytes(self._new), bytearray()
            if data:
                self._next = now + EVERY
        return data

    def tail(self) -> str:
        """Return the last line."""
        lines = self._last.decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
