"""Stopping: SIGTERM and SIGINT set an event, and waits end with it."""

from __future__ import annotations

import signal
import threading


def on_signals() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set; call it in the main thread."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


class Backoff:
    """Waits 0.1, 0.2, 0.4 … at most 5 seconds, or until `stop` is set."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._seconds = 0.1

    def wait(self) -> None:
        """Wait, longer each time."""
        self._stop.wait(self._seconds)
        self._seconds = min(self._seconds * 2, 5.0)

    def reset(self) -> None:
        """Start again from the shortest wait."""
        self._seconds = 0.1
