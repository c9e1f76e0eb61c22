"""How long a piece of work takes."""

from __future__ import annotations

import time
from collections.abc import Callable


def timed(work: Callable) -> tuple[float, object]:
    """Return how many seconds `work` takes, and what it returns."""
    began = time.perf_counter()
    done = work()
    return time.perf_counter() - began, done
