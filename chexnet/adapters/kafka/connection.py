"""How every client of the broker is made, and what its failures mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient

from chexnet.errors import Unavailable
from chexnet.settings import KafkaSettings

ENVELOPE = 64 * 2**10  # Key, headers and the batch around one value.
# Images of a transaction go in one request: with the default of 16 KiB each has its own, and 32 of
# them take 27 ms instead of 8.
BATCH = 2**20


T = TypeVar("T")


class Connection:
    """Makes consumers and producers with the site's settings."""

    def __init__(self, settings: KafkaSettings, largest: int) -> None:
        self.settings = settings
        self._largest = largest + ENVELOPE

    def consumer(self, **options: Any) -> KafkaConsumer:
        """Return a consumer of committed records that never moves offsets by itself."""
        return self._make(
            KafkaConsumer,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=self._largest,
            fetch_max_bytes=max(self._largest, 52_428_800),
            **options,
        )

    def producer(self, **options: Any) -> KafkaProducer:
        """Return a producer; with `transactional_id`, one that fences its predecessor."""
        made = self._make(
            KafkaProducer,
            max_request_size=self._largest,
            delivery_timeout_ms=40_000,
            batch_size=BATCH,
            retry_backoff_ms=10,  # The default of 100 ms stalls every transaction.
            transaction_timeout_ms=int(self.settings.transaction_timeout * 1000),
            **options,
        )
        if "transactional_id" in options:
            try:
                made.init_transactions()
            except BaseException:
                made.close(timeout=1)
                raise
        return made

    def _make(self, kind: Callable[..., T], **options: Any) -> T:
        """Make a client; one that fails leaves a thread and four sockets behind by itself."""
        inner: list[KafkaNetClient] = []

        def keep(**config: Any) -> KafkaNetClient:
            inner.append(KafkaNetClient(**config))
            return inner[-1]

        try:
            return kind(kafka_client=keep, **self._common(), **options)
        except BaseException:
            for client in inner:
                client.close()
            raise

    def _common(self) -> dict[str, Any]:
        common: dict[str, Any] = {
            "bootstrap_servers": self.settings.bootstrap.split(","),
            "bootstrap_timeout_ms": 5_000,
            "allow_auto_create_topics": False,
        }
        secured = bool(self.settings.ca_file)
        if self.settings.ca_file:
            common["ssl_cafile"] = str(self.settings.ca_file)
        if self.settings.user and self.settings.password_file:
            common |= {
                "sasl_mechanism": "SCRAM-SHA-256",
                "sasl_plain_username": self.settings.user,
                "sasl_plain_password": self.settings.password_file.read_text().strip(),
                "security_protocol": "SASL_SSL" if secured else "SASL_PLAINTEXT",
            }
        elif secured:
            common["security_protocol"] = "SSL"
        return common

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Turn what the client raises into Unavailable."""
        try:
            yield
        except KafkaError as error:
            kind = type(error).__name__
            why = str(error).removeprefix(f"{kind}: ").rstrip(" .") or kind
            rule = f"Waiting for Kafka at {self.settings.bootstrap}: {why}. Nothing is lost."
            todo = "If it is not running, start it with: make up"
            if self.settings.user:  # The broker's word for it: it closes the connection.
                todo += f". If it is, look at the password of {self.settings.user!r}"
            raise Unavailable(f"{rule} {todo}") from error
