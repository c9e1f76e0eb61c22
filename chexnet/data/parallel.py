"""The same work on many files, by as many processes as there are CPUs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Item = TypeVar("Item")
Done = TypeVar("Done")


def spread(
    task: Callable[[Item], Done], items: Sequence[Item], processes: int | None = None
) -> Iterator[Done]:
    """Yield `task` of each item, in order.

    Args:
        task: a function that can be pickled: of a module, or `partial` of one.
        items: what it is called with.
        processes: how many; by default one for each CPU that this process may use.
    """
    workers = min(processes or len(os.sched_getaffinity(0)), len(items))
    if workers <= 1:
        yield from map(task, items)
        return
    # Spawned, not forked: a fork of a process that has gRPC or TensorFlow threads can hang.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        chunk = max(1, min(32, len(items) // (4 * workers)))
        yield from pool.map(task, items, chunksize=chunk)
