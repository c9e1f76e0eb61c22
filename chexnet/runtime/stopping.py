"""Stopping: signals set an event, waits end with it, and an error of the site's is a sentence."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

from chexnet.errors import ChexnetError


def on_signals() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set; call it in the main thread."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def run(main: Callable[[], int]) -> NoReturn:
    """Exit as `main` says. What a person must mend is told in its sentence, without a traceback."""
    try:
        code = main()
    except ChexnetError as error:
        print(error, file=sys.stderr)
        code = error.exit_code
    raise SystemExit(code)


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
