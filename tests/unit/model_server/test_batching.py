"""Requests that wait together are computed together, and get their own rows back."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from services.model_server.batching import Batcher, Limits
from services.model_server.errors import Code, ServingError
from tests.unit.model_server.fakes import FakeEngine, answer


def rows(*values: int) -> dict[str, Any]:
    return {"x": np.array([[v] * 4 for v in values], dtype=np.uint8)}


def first(future: Future[Any]) -> list[float]:
    return [round(float(p), 3) for p in future.result(10)["probabilities"][:, 0]]


def behind_a_held_run(engine: FakeEngine, batcher: Batcher) -> Future[Any]:
    """Submit one request and let it hang in the engine; what comes now waits."""
    engine.open.clear()
    held = batcher.submit(rows(0))
    assert engine.entered.acquire(timeout=10)
    return held


def test_what_waits_is_computed_in_one_run_and_each_gets_its_rows() -> None:
    engine = FakeEngine(0.1)
    batcher = Batcher(engine, Limits(), batchable=True)
    behind_a_held_run(engine, batcher)
    futures = [batcher.submit(rows(1, 2)), batcher.submit(rows(3)), batcher.submit(rows(4, 5))]
    engine.open.set()
    assert [first(f) for f in futures] == [[0.1, 0.2], [0.3], [0.4, 0.5]]
    assert engine.batches == [1, 5]


def test_a_batch_has_at_most_the_rows_of_the_limit() -> None:
    engine = FakeEngine(0.1)
    batcher = Batcher(engine, Limits(rows=3), batchable=True)
    behind_a_held_run(engine, batcher)
    futures = [batcher.submit(rows(n, n)) for n in range(3)]
    engine.open.set()
    assert [first(f)[0] for f in futures] == [0.0, 0.1, 0.2]
    assert engine.batches == [1, 2, 2, 2]


def test_a_request_larger_than_a_batch_goes_in_pieces() -> None:
    engine = FakeEngine(0.1)
    batcher = Batcher(engine, Limits(rows=3), batchable=True)
    assert first(batcher.submit(rows(*range(8)))) == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert engine.batches == [3, 3, 2]


def test_with_a_timeout_a_batch_waits_to_fill_up() -> None:
    engine = FakeEngine(0.1)
    batcher = Batcher(engine, Limits(rows=2, timeout=30), batchable=True)
    futures = [batcher.submit(rows(1)), batcher.submit(rows(2))]
    assert [first(f) for f in futures] == [[0.1], [0.2]]
    assert engine.batches == [2]


def test_without_a_batch_dimension_each_request_is_a_run() -> None:
    engine = FakeEngine(0.1)
    batcher = Batcher(engine, Limits(), batchable=False)
    behind_a_held_run(engine, batcher)
    futures = [batcher.submit(rows(1)), batcher.submit(rows(2))]
    engine.open.set()
    assert [first(f) for f in futures] == [[0.1], [0.2]]
    assert engine.batches == [1, 1, 1]


def test_a_request_that_was_given_up_is_not_computed() -> None:
    engine = FakeEngine(0.1)
    batcher = Batcher(engine, Limits(), batchable=True)
    behind_a_held_run(engine, batcher)
    batcher.submit(rows(1)).cancel()
    kept = batcher.submit(rows(2))
    engine.open.set()
    assert first(kept) == [0.2]
    assert engine.batches == [1, 1]


def test_a_full_queue_is_unavailable() -> None:
    engine = FakeEngine(0.1)
    batcher = Batcher(engine, Limits(queue=1), batchable=True)
    behind_a_held_run(engine, batcher)
    batcher.submit(rows(1))
    with pytest.raises(ServingError, match="queue to which this task was submitted is full") as e:
        batcher.submit(rows(2))
    assert e.value.code == Code.UNAVAILABLE
    engine.open.set()


def test_an_error_of_the_engine_is_that_of_its_requests_only() -> None:
    class Broken(FakeEngine):
        def run(self, inputs: Any) -> Any:
            if (inputs["x"] == 13).any():
                raise RuntimeError("not that one")
            return answer(self.scale, inputs["x"])

    batcher = Batcher(Broken(0.1), Limits(), batchable=True)
    with pytest.raises(ServingError, match="not that one"):
        batcher.submit(rows(13)).result(10)
    assert first(batcher.submit(rows(1))) == [0.1]


def test_closing_answers_what_waits_and_ends_the_threads() -> None:
    engine = FakeEngine(0.1)
    batcher = Batcher(engine, Limits(rows=1), batchable=True)
    behind_a_held_run(engine, batcher)
    waiting = batcher.submit(rows(1))
    closing = threading.Thread(target=batcher.close)
    closing.start()
    engine.open.set()
    closing.join(10)
    assert not closing.is_alive()
    assert first(waiting) == [0.1]
