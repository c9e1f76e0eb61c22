"""A producer whose transactions and whose end don't wait for brokers that don't answer."""

from __future__ import annotations

from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError


class TransactionalProducer(KafkaProducer):
    """A KafkaProducer that waits as long as the broker keeps a transaction, not for ever.

    kafka-python 3.0.12 was seen to wait on for a coordinator whose broker had died and come back.
    A new producer of the same transactional_id settles what this one leaves open.

    Raises:
        KafkaTimeoutError: by each call, after transaction_timeout_ms.
    """

    def send_offsets_to_transaction(self, offsets: Any, group_metadata: Any) -> None:
        """As KafkaProducer's."""
        manager = self._transaction_manager
        self._finish("offsets", manager.send_offsets_to_transaction(offsets, group_metadata))

    def commit_transaction(self) -> None:
        """As KafkaProducer's."""
        self._finish("a commit", self._transaction_manager.begin_commit())

    def abort_transaction(self) -> None:
        """As KafkaProducer's."""
        self._finish("an abort", self._transaction_manager.begin_abort())

    def close(self, timeout: float | None = None, null_logger: bool = False) -> None:
        """As KafkaProducer's, which goes on by itself where its messages can't be sent in time."""
        try:
            super().close(timeout=timeout, null_logger=null_logger)
        except KafkaError:
            self._sender.force_close()
            self._sender.join(timeout)
            self._closed = True

    def _finish(self, what: str, result: Any) -> None:
        self._sender.wakeup()
        patience = self.config["transaction_timeout_ms"]
        if not result.wait(timeout_ms=patience):
            raise KafkaTimeoutError(f"{what} of a transaction must be taken within {patience} ms")
