"""Kernels that nobody looks at any more: a browser that crashed can't end its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

log = logging.getLogger("app")


class Left:
    """Ends kernels without a page, when they were seen so for `seconds`.

    Args:
        manager: Voilà's, with the kernels that it heats for those who come.
    """

    def __init__(
        self, manager: Any, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._manager, self._seconds, self._clock = manager, seconds, clock
        self._since: dict[str, float] = {}

    async def look(self) -> None:
        """Look at all kernels once."""
        now, waiting = self._clock(), self._heated()
        alone = {
            kernel["id"]
            for kernel in self._manager.list_kernels()
            if not kernel["connections"] and kernel["id"] not in waiting
        }
        self._since = {name: self._since.get(name, now) for name in alone}
        for name, since in self._since.items():
            if now - since >= self._seconds:
                log.info("ended a kernel that no page was connected to")
                await self._manager.shutdown_kernel(name, now=True)

    def _heated(self) -> set[str]:
        pools = getattr(self._manager, "_pools", {}).values()
        done = [task for pool in pools for task in pool if task.done() and not task.exception()]
        return {task.result()["kernel_id"] for task in done}
