"""The same work on many files, by as many processes as there are CPUs."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

Item = TypeVar("Item")
Done = TypeVar("Done")
RUN = 5  # Processes that may die one after the other.


def spread(
    task: Callable[[Item], Done],
    items: Sequence[Item],
    processes: int | None = None,
    *,
    crashed: Callable[[Item], Done] | None = None,
) -> Iterator[Done]:
    """Yield `task` of each item, in order, and only a little ahead of who takes them.

    Args:
        task: a function that can be pickled: of a module, or `partial` of one.
        items: what it is called with.
        processes: how many; by default one for each CPU that this process may use.
        crashed: what is yielded for an item that its process died of.

    Raises:
        BrokenProcessPool: a process died, and there is no `crashed`; or they all do.
    """
    workers = min(processes or len(os.sched_getaffinity(0)), len(items))
    if workers <= 1:
        yield from map(task, items)
        return
    size = max(1, min(32, len(items) // (4 * workers)))
    left = deque(items[at : at + size] for at in range(0, len(items), size))
    while left:
        with _pool(workers) as pool:
            yield from _until_broken(pool, task, left, 2 * workers, crashed)


def _until_broken(
    pool: ProcessPoolExecutor,
    task: Callable[[Item], Done],
    left: deque[Sequence[Item]],
    ahead: int,
    crashed: Callable[[Item], Done] | None,
) -> Iterator[Done]:
    """Take parts from `left`; end when there are none, or when the pool can take no more."""
    broken = False
    pending: deque[tuple[Sequence[Item], Future[list[Done]]]] = deque()
    try:
        while True:
            while left and not broken and len(pending) < ahead:
                if (future := _submitted(pool, task, left[0])) is None:
                    broken = True
                else:
                    pending.append((left.popleft(), future))
            if not pending:
                return
            part, future = pending.popleft()
            try:
                done = future.result()
            except BrokenProcessPool:
                if crashed is None:
                    raise
                broken = True  # By this part or by one beside it.
                yield from _carefully(task, part, crashed)
            else:
                yield from done
    finally:
        for _, future in pending:
            future.cancel()


def _submitted(
    pool: ProcessPoolExecutor, task: Callable[[Item], Done], part: Sequence[Item]
) -> Future[list[Done]] | None:
    try:
        return pool.submit(_each, task, part)
    except BrokenProcessPool:
        return None


def _carefully(
    task: Callable[[Item], Done], part: Sequence[Item], crashed: Callable[[Item], Done]
) -> Iterator[Done]:
    """Do one item at a time, so that it is known which one a process dies of.

    Raises:
        BrokenProcessPool: several died in a row; that is nothing in the files.
    """
    pool, run = _pool(1), 0
    try:
        for item in part:
            try:
                done = pool.submit(task, item).result()
                run = 0
            except BrokenProcessPool:
                if (run := run + 1) == RUN:
                    raise
                done = crashed(item)
                pool.shutdown()
                pool = _pool(1)
            yield done
    finally:
        pool.shutdown()


def _pool(workers: int) -> ProcessPoolExecutor:
    # Spawned, not forked: a fork of a process that has gRPC or TensorFlow threads can hang.
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))


def _each(task: Callable[[Item], Done], part: Sequence[Item]) -> list[Done]:
    return [task(item) for item in part]
