from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from services.app.left import Left


class Kernels:
    """What Left asks of Voilà's manager of kernels."""

    def __init__(self, **connections: int) -> None:
        self.connections = connections
        self._pools: dict[str, list[asyncio.Future[dict[str, str]]]] = {}

    def list_kernels(self) -> list[dict[str, Any]]:
        return [{"id": k, "connections": n} for k, n in self.connections.items()]

    async def shutdown_kernel(self, kernel_id: str, now: bool) -> None:
        del self.connections[kernel_id]

    def heat(self, kernel_id: str) -> None:
        task: asyncio.Future[dict[str, str]] = asyncio.Future()
        task.set_result({"kernel_id": kernel_id})
        self._pools["page"] = [task]


def test_a_kernel_ends_when_its_page_was_gone_for_long_and_no_other_does() -> None:
    async def story() -> None:
        kernels, time = Kernels(gone=0, open=1, back=0, heated=0), [0.0]
        kernels.heat("heated")
        left = Left(kernels, 10, clock=lambda: time[0])
        await left.look()
        time[0], kernels.connections["back"] = 6.0, 1
        await left.look()
        time[0], kernels.connections["back"] = 11.0, 0  # Gone again: its time begins anew.
        await left.look()
        assert set(kernels.connections) == {"open", "back", "heated"}
        time[0] = 21.0
        await left.look()
        assert set(kernels.connections) == {"open", "heated"}

    with ThreadPoolExecutor(
        1
    ) as own:  # Playwright's loop, of a test before, holds the main thread.
        own.submit(asyncio.run, story()).result()
