"""Batching: requests that wait for the same version are computed together.

A run takes what is waiting when it starts, so that a lone request is never delayed and a crowd is
batched by itself; with a timeout, a batch that is not full also waits that long for more.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from services.model_server.engines.base import Arrays, Engine
from services.model_server.errors import Code, ServingError

Outputs = dict[str, NDArray[Any]]


class Limits(Struct, frozen=True, kw_only=True):
    """How large batches may be, how long they wait, how many requests may wait."""

    rows: int = 32
    timeout: float = 0.0
    queue: int = 1024


class _Task(Struct):
    inputs: Arrays
    rows: int
    form: tuple[tuple[str, tuple[int, ...]], ...]  # What tasks of one batch must have in common.
    done: Future[Outputs]


class Batcher:
    """The queue of one loaded version, and the threads that empty it: one for each stream."""

    def __init__(self, engine: Engine, limits: Limits, *, batchable: bool) -> None:
        self._engine = engine
        self._limits = limits
        self._batchable = batchable
        self._waiting: deque[_Task] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, name=f"batch-{n}", daemon=True)
            for n in range(engine.streams)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, inputs: Arrays) -> Future[Outputs]:
        """Queue one request of any number of rows; the future holds its outputs.

        Raises:
            ServingError: UNAVAILABLE, when too many wait.
        """
        form = tuple((name, inputs[name].shape[1:]) for name in sorted(inputs))
        rows = next(iter(inputs.values())).shape[0] if self._batchable else 1
        task = _Task(inputs, rows, form, Future())
        with self._changed:
            if self._closed or len(self._waiting) >= self._limits.queue:
                raise ServingError(
                    Code.UNAVAILABLE,
                    "The batch scheduling queue to which this task was submitted is full",
                )
            self._waiting.append(task)
            self._changed.notify()
        return task.done

    def close(self) -> None:
        """Let the threads end when all that waits is done, and wait for them."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while tasks := self._next():
            live = [task for task in tasks if task.done.set_running_or_notify_cancel()]
            if not live:
                continue
            try:
                answers = self._compute(live)
            except Exception as error:  # The engine's; its requests get it.
                for task in live:
                    task.done.set_exception(ServingError(Code.INTERNAL, str(error)))
            else:
                for task, answer in zip(live, answers, strict=True):
                    task.done.set_result(answer)

    def _next(self) -> list[_Task]:
        """Return the next batch, oldest first; [] when closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return []
            until = time.monotonic() + self._limits.timeout
            taken = [self._waiting.popleft()]
            while self._batchable and (room := self._limits.rows - sum(t.rows for t in taken)) > 0:
                left = until - time.monotonic()
                if not self._waiting and not self._closed and left > 0:
                    self._changed.wait(left)
                    continue
                if not self._waiting or not self._fits(taken[0], self._waiting[0], room):
                    break
                taken.append(self._waiting.popleft())
            if self._waiting:  # A notification may have been used up here.
                self._changed.notify()
            return taken

    @staticmethod
    def _fits(first: _Task, task: _Task, room: int) -> bool:
        return task.rows <= room and task.form == first.form

    def _compute(self, tasks: list[_Task]) -> list[Outputs]:
        if len(tasks) == 1:
            return [self._in_pieces(tasks[0])]
        joined = {
            name: np.concatenate([task.inputs[name] for task in tasks]) for name in tasks[0].inputs
        }
        outputs = self._engine.run(joined)
        ends = np.cumsum([task.rows for task in tasks])
        return [
            {name: array[end - task.rows : end] for name, array in outputs.items()}
            for task, end in zip(tasks, ends, strict=True)
        ]

    def _in_pieces(self, task: _Task) -> Outputs:
        """Run one request; a larger one than a batch goes in pieces, to bound the memory."""
        step = self._limits.rows
        if task.rows <= step:
            return self._engine.run(task.inputs)
        pieces = [
            self._engine.run({name: x[at : at + step] for name, x in task.inputs.items()})
            for at in range(0, task.rows, step)
        ]
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
