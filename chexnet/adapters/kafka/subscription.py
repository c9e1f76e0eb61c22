"""KafkaSubscription: a consumer and a transactional producer that move together."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import suppress

from kafka import (
    ConsumerRebalanceListener,
    KafkaConsumer,
    KafkaProducer,
    OffsetAndMetadata,
    TopicPartition,
)
from kafka.errors import KafkaError

from chexnet.adapters.kafka.connection import Connection
from chexnet.adapters.kafka.stall import Stall
from chexnet.adapters.kafka.wire import headers_out, message_in
from chexnet.messages import Message
from chexnet.topics import Topic

log = logging.getLogger(__name__)
SESSION = 10.0  # Seconds after which a dead member's partitions move to others.


class KafkaSubscription(ConsumerRebalanceListener):  # type: ignore[misc]
    """A `Subscription`. Its group member and its transactions are named after the instance.

    A restart under the same name takes the partitions over at once and aborts what the dead
    process left open, so that nobody waits for a time-out.
    """

    def __init__(
        self, connection: Connection, pipeline: str, topic: Topic, group: str, instance: str
    ) -> None:
        self._connection, self._pipeline, self._topic = connection, pipeline, topic
        self._name = f"{pipeline}.{group}.{instance}"
        self._next: dict[TopicPartition, int] = {}  # Of what was polled and not completed.
        self._group = f"{pipeline}.{group}"
        self._producer: KafkaProducer | None = self._make_producer()
        try:
            self._consumer = self._make_consumer()
        except BaseException:
            self._producer.close(timeout=1)
            raise

    def _make_producer(self) -> KafkaProducer:
        return self._connection.producer(transactional_id=self._name)

    def _make_consumer(self) -> KafkaConsumer:
        consumer = self._connection.consumer(
            group_id=self._group,
            group_instance_id=self._name,
            session_timeout_ms=int(SESSION * 1000),
            heartbeat_interval_ms=1000,
        )
        consumer.subscribe([self._topic.full_name(self._pipeline)], listener=self)
        self._look_at_heartbeat = time.monotonic() + 2 * SESSION
        self._stall = Stall(consumer)
        return consumer

    def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Forget what is polled and not completed: its new owner reads it again."""
        for tp in revoked:
            self._next.pop(tp, None)

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Start from the committed offsets, as the consumer does by itself."""

    def poll(self, *, at_most: int, timeout: float) -> list[Message]:
        """Return up to `at_most` committed messages."""
        with self._connection.answering():
            self._rejoin_if_stalled()
            batches = self._consumer.poll(timeout_ms=int(timeout * 1000), max_records=at_most)
        messages = []
        for tp, records in batches.items():
            self._next[tp] = records[-1].offset + 1
            messages += [message_in(self._topic, record) for record in records]
        return messages

    def _rejoin_if_stalled(self) -> None:
        """Make a new consumer where the client has ceased to fetch or to send heartbeats.

        kafka-python 3.0.12 was seen to do the latter after a slow join: it then spins in `poll`,
        and the group goes on without it.
        """
        if not (self._is_forgotten() or self._stall.found()):
            return
        log.warning("the consumer of %s has stalled: joining the group anew", self._topic.name)
        sick, self._consumer = self._consumer, self._make_consumer()
        self._next.clear()
        # Not beside, as a reader does: its end revokes partitions, of which the new one has some.
        with suppress(KafkaError):
            sick.close(timeout_ms=1000)

    def _is_forgotten(self) -> bool:
        if time.monotonic() < self._look_at_heartbeat:
            return False
        self._look_at_heartbeat = time.monotonic() + SESSION
        group = self._consumer.metrics().get("consumer-coordinator-metrics", {})
        return bool(group.get("last-heartbeat-seconds-ago", 0.0) > SESSION)

    def complete(self, produced: Sequence[Message]) -> None:
        """Write `produced` and the offsets, fenced by the group's generation."""
        if not self._next:
            return
        with self._connection.answering():
            self._producer = producer = self._producer or self._make_producer()
            try:
                producer.begin_transaction()
                for m in produced:
                    producer.send(
                        m.topic.full_name(self._pipeline),
                        key=m.key.encode(),
                        value=m.value,
                        headers=headers_out(m.headers),
                    )
                offsets = {tp: OffsetAndMetadata(n, "", -1) for tp, n in self._next.items()}
                producer.send_offsets_to_transaction(offsets, self._consumer.group_metadata())
                producer.commit_transaction()
            except BaseException:
                self._drop(producer)
                raise
        self._next.clear()

    def _drop(self, producer: KafkaProducer) -> None:
        """Abort; after an error that is fatal to the producer, the next one fences it."""
        self._producer = None
        with suppress(KafkaError):
            producer.abort_transaction()
        producer.close(timeout=1)

    def rewind(self) -> None:
        """Seek back to the committed offsets."""
        with self._connection.answering():
            # First: whether a commit that broke off has happened is settled by this.
            self._producer = self._producer or self._make_producer()
            for tp in self._consumer.assignment():
                committed = self._consumer.committed(tp, timeout_ms=int(SESSION * 1000))
                if committed is None:
                    self._consumer.seek_to_beginning(tp)
                else:
                    self._consumer.seek(tp, committed)
        self._next.clear()
        self._stall = Stall(self._consumer)  # Back at the same place again it has not stalled.

    def lag(self) -> int:
        """Return how many messages wait in the partitions of this member, as last fetched.

        The broker is not asked: kafka-python 3.0.12 was seen to wait for ends in vain, 30 s each
        time, after all brokers of a cluster had been restarted at once.
        """
        with self._connection.answering():
            ends = {tp: self._consumer.highwater(tp) for tp in self._consumer.assignment()}
            known = {
                tp: (self._consumer.position(tp, timeout_ms=0), end)
                for tp, end in ends.items()
                if end is not None
            }
        return sum(max(end - at, 0) for at, end in known.values() if at is not None)

    def close(self) -> None:
        """Close both; the partitions stay reserved for a restart until the session ends."""
        self._consumer.close(timeout_ms=5000)
        if self._producer is not None:
            self._producer.close(timeout=5)
