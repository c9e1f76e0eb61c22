"""KafkaReader: committed messages without a group."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError

from chexnet.adapters.kafka.connection import Connection
from chexnet.adapters.kafka.stall import Stall
from chexnet.adapters.kafka.wire import message_in
from chexnet.errors import Unavailable
from chexnet.messages import Message
from chexnet.steps.ports import Place, Start
from chexnet.topics import Topic

log = logging.getLogger(__name__)
PATIENCE = 10.0  # Seconds without an answer, or without progress towards an end that it named.


class KafkaReader:
    """A `Reader` of all partitions of some topics. A consumer that stalls is replaced."""

    def __init__(
        self, connection: Connection, pipeline: str, topics: Sequence[Topic], start: Start
    ) -> None:
        self._connection = connection
        self._topics = {t.full_name(pipeline): t for t in topics}
        self._consumer = self._make_consumer()
        self._next: dict[TopicPartition, int] = {}  # Where a replacement goes on.
        try:
            self._seek(start)
        except BaseException:
            self.close()
            raise

    def _make_consumer(self) -> KafkaConsumer:
        consumer = self._connection.consumer()
        consumer.assign(
            [
                TopicPartition(name, p)
                for name, t in self._topics.items()
                for p in range(t.partitions)
            ]
        )
        self._stall = Stall(consumer)
        return consumer

    def _seek(self, start: Start) -> None:
        everything = list(self._consumer.assignment())
        if start == "end":
            self._next = self._consumer.end_offsets(everything)
        elif isinstance(start, datetime):
            asked = {tp: int(start.timestamp() * 1000) for tp in everything}
            ends = self._consumer.end_offsets(everything)  # First: what comes in between is read.
            found = self._consumer.offsets_for_times(asked)
            self._next = {tp: found[tp].offset if found.get(tp) else ends[tp] for tp in everything}
        elif not isinstance(start, str):
            place = {tp: (self._topics[tp.topic].name, tp.partition) for tp in everything}
            self._next = {tp: start.get(place[tp], 0) for tp in everything}
        self._go_to_next()

    def _go_to_next(self) -> None:
        for tp in self._consumer.assignment():
            if tp in self._next:
                self._consumer.seek(tp, self._next[tp])
            else:
                self._consumer.seek_to_beginning(tp)

    def _replace(self) -> None:
        log.warning("a consumer of %s has stalled: making a new one", ", ".join(self._topics))
        sick, self._consumer = self._consumer, self._make_consumer()
        self._go_to_next()
        # Beside: whatever keeps it from reading may keep it from ending too.
        threading.Thread(target=_close, args=(sick,), daemon=True).start()

    def poll(self, *, timeout: float) -> list[Message]:
        """Return what has come since, in order per partition."""
        with self._connection.answering():
            if self._stall.found():
                self._replace()
            batches = self._consumer.poll(timeout_ms=int(timeout * 1000))
        self._next.update({tp: records[-1].offset + 1 for tp, records in batches.items()})
        return [message_in(self._topics[tp.topic], r) for tp, rs in batches.items() for r in rs]

    def to_end(self) -> Iterator[Message]:
        """Yield up to the end as the broker names it now; Unavailable if it can't be reached."""
        ends = self._ends()
        progress = time.monotonic()
        while any(self._position(tp) < end for tp, end in ends.items()):
            messages = self.poll(timeout=0.1)
            yield from messages
            if messages:
                progress = time.monotonic()
            elif time.monotonic() - progress > PATIENCE:
                with self._connection.answering():
                    self._replace()
                rule = f"The end of {', '.join(self._topics)} must be reached."
                raise Unavailable(f"{rule} Received: nothing for {PATIENCE:.0f} s. Try again.")

    def _ends(self) -> dict[TopicPartition, int]:
        with self._connection.answering():
            everything = list(self._consumer.assignment())
            try:
                return dict(self._consumer.end_offsets(everything, timeout_ms=PATIENCE * 1000))
            except KafkaError:
                self._replace()
                raise

    def _position(self, tp: TopicPartition) -> int:
        with self._connection.answering():
            position = self._consumer.position(tp, timeout_ms=PATIENCE * 1000)
            if position is None:
                raise KafkaTimeoutError(f"where {tp.topic} begins must be told")
            return int(position)

    def offsets(self) -> dict[Place, int]:
        """Return the next offset of each partition."""
        assigned = self._consumer.assignment()
        return {(self._topics[t.topic].name, t.partition): self._position(t) for t in assigned}

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close(timeout_ms=5000)


def _close(consumer: KafkaConsumer) -> None:
    with suppress(KafkaError):
        consumer.close(timeout_ms=1000)
