"""How every client of the broker is made, and what its failures mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from chexnet.errors import Unavailable
from chexnet.settings import KafkaSettings

ENVELOPE = 64 * 2**10  # Key, headers and the batch around one value.
# Images of a transaction go in one request: with the default of 16 KiB each has its own, and 32 of
# them take 27 ms instead of 8.
BATCH = 2**20


class Connection:
    """Makes consumers and producers with the site's settings."""

    def __init__(self, settings: KafkaSettings, largest: int) -> None:
        self.settings = settings
        self._largest = largest + ENVELOPE

    def consumer(self, **options: Any) -> KafkaConsumer:
        """Return a consumer of committed records that never moves offsets by itself."""
        return KafkaConsumer(
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=self._largest,
            fetch_max_bytes=max(self._largest, 52_428_800),
            **self._common(),
            **options,
        )

    def producer(self, **options: Any) -> KafkaProducer:
        """Return a producer; with `transactional_id`, one that fences its predecessor."""
        made = KafkaProducer(
            max_request_size=self._largest,
            delivery_timeout_ms=40_000,
            batch_size=BATCH,
            retry_backoff_ms=10,  # The default of 100 ms stalls every transaction.
            transaction_timeout_ms=int(self.settings.transaction_timeout * 1000),
            **self._common(),
            **options,
        )
        if "transactional_id" in options:
            made.init_transactions()
        return made

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
            where = self.settings.bootstrap
            why = f"Waiting for Kafka at {where}: {type(error).__name__} {error}".rstrip(" .")
            todo = "Nothing is lost. If it is not running, start it with: make up"
            raise Unavailable(f"{why}. {todo}") from error
