"""How every client of the broker is made, and what its failures mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer
from kafka.errors import KafkaError, SaslAuthenticationFailedError
from kafka.net.compat import KafkaNetClient

from chexnet.adapters.kafka import authentication, network
from chexnet.adapters.kafka.transactional import TransactionalProducer
from chexnet.errors import Forbidden, Unavailable
from chexnet.settings import KafkaSettings

ENVELOPE = 64 * 2**10  # Key, headers and the batch around one value.
# Images of a transaction go in one request: with the default of 16 KiB each has its own, and 32 of
# them take 27 ms instead of 8.
BATCH = 2**20
DENIED = (
    "ClusterAuthorizationFailedError",
    "GroupAuthorizationFailedError",
    "TopicAuthorizationFailedError",
    "TransactionalIdAuthorizationFailedError",
)
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
            allow_auto_create_topics=False,
            **options,
        )

    def producer(self, **options: Any) -> TransactionalProducer:
        """Return a producer; with `transactional_id`, one that fences its predecessor."""
        made = self._make(
            TransactionalProducer,
            allow_auto_create_topics=False,
            max_request_size=self._largest,
            delivery_timeout_ms=40_000,
            max_block_ms=20_000,
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

    def admin(self, **options: Any) -> KafkaAdminClient:
        """Return a client that manages topics, users and their rights."""
        return self._make(KafkaAdminClient, **options)

    def _make(self, kind: Callable[..., T], **options: Any) -> T:
        """Make a client; one that fails leaves a thread and four sockets behind by itself."""
        inner: list[KafkaNetClient] = []

        def keep(**config: Any) -> KafkaNetClient:
            inner.append(network.client(**config))
            return inner[-1]

        common = {
            "bootstrap_servers": self.settings.bootstrap.split(","),
            "bootstrap_timeout_ms": 5_000,
            "reconnect_backoff_max_ms": 1_000,  # With the default a dead broker is left for 30 s.
            **authentication.options(self.settings),
        }
        try:
            return kind(kafka_client=keep, **{**common, **options})
        except BaseException:
            for client in inner:
                client.close()
            raise

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Turn what the client raises into Unavailable, or into Forbidden."""
        try:
            yield
        except KafkaError as error:
            raise self._translated(error) from error

    def _translated(self, error: KafkaError) -> Unavailable:
        kind, user = type(error).__name__, self.settings.principal
        why = str(error).removeprefix(f"{kind}: ").rstrip(" .") or kind
        where = f"Kafka at {self.settings.bootstrap}"
        if isinstance(error, SaslAuthenticationFailedError):
            todo = f"Correct what is in {self.settings.password_file}, or CHEXNET_KAFKA__USER."
            return Forbidden(f"{where} must know the user {user!r} by its password. {todo}")
        if denied := _denied(error):
            rule = f"{where} must allow {user or 'everybody'!r} to do this. Received: {denied}."
            return Forbidden(f"{rule} Do it as a user who may; roles/kafka/README.md says who.")
        rule = f"Waiting for {where}: {why}. Nothing is lost."
        todo = "If it is not running, start it with: make up"
        if user is None and "bootstrap" in why:
            todo += ". If it is, it may ask for a user: see CHEXNET_KAFKA__SECURITY"
        return Unavailable(f"{rule} {todo}")


def _denied(error: BaseException | None) -> str:
    """Return what the broker did not allow, in its words; "" where that is not the reason."""
    while error is not None:  # The producer tells it inside of other errors, or in their words.
        if any(name in str(error) for name in DENIED):
            return str(error)
        error = error.__cause__ or error.__context__
    return ""
