"""Orphans: transforms that go on after their runner was killed. Its successor ends them."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

MARK = "CHEXNET_RUNNER_SCRATCH"  # Every transform inherits it from its runner.


def adopt(scratch: Path) -> None:
    """Mark this process, and so all that it will start, as of the runner with this folder."""
    os.environ[MARK] = str(scratch)


def end(scratch: Path) -> list[int]:
    """Kill the groups of all processes that a runner with this folder has left behind.

    Args:
        scratch: of the runner that was; call it before `adopt`.

    Returns:
        The processes that were there.
    """
    mark, found = f"{MARK}={scratch}".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # Somebody else's, or it has just ended.
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
                os.killpg(os.getpgid(found[-1]), signal.SIGKILL)
    return found
