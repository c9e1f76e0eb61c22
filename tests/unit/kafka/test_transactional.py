"""A transaction whose coordinator never answers ends by itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError
from kafka.producer.transaction_manager import TransactionalRequestResult

from chexnet.adapters.kafka.transactional import TransactionalProducer


def producer(result: TransactionalRequestResult) -> Any:
    """One whose requests all have this result; nothing is connected."""
    made = TransactionalProducer.__new__(TransactionalProducer)
    made.config = {"transaction_timeout_ms": 10}
    made._sender = SimpleNamespace(wakeup=lambda: None)
    made._transaction_manager = SimpleNamespace(
        begin_commit=lambda: result,
        begin_abort=lambda: result,
        send_offsets_to_transaction=lambda *_: result,
    )
    made._closed = True  # Nothing to close when it goes.
    return made


def test_each_call_waits_as_long_as_the_broker_keeps_a_transaction() -> None:
    silent = producer(TransactionalRequestResult())
    for call in (silent.commit_transaction, silent.abort_transaction):
        with pytest.raises(KafkaTimeoutError, match="within 10 ms"):
            call()
    with pytest.raises(KafkaTimeoutError, match="offsets of a transaction"):
        silent.send_offsets_to_transaction({}, "group")


def test_what_is_answered_is_passed_on() -> None:
    result = TransactionalRequestResult()
    result.done()
    producer(result).commit_transaction()
    failed = TransactionalRequestResult()
    failed.done(ValueError("refused"))
    with pytest.raises(ValueError, match="refused"):
        producer(failed).commit_transaction()


def test_a_producer_whose_messages_cannot_be_sent_in_time_ends_all_the_same() -> None:
    ended: list[str] = []

    def wait(timeout: float) -> None:
        raise KafkaTimeoutError(f"nothing sent for {timeout} s")

    made = producer(TransactionalRequestResult())
    made._accumulator = SimpleNamespace(begin_flush=lambda: None, await_flush_completion=wait)
    made._sender.force_close = lambda: ended.append("forced")
    made._sender.join = lambda timeout: ended.append(f"joined within {timeout} s")
    made._closed = False
    made.close(timeout=1)
    assert ended == ["forced", "joined within 1 s"]
    assert made._closed
