"""KafkaReader: committed messages without a group."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime

from kafka import TopicPartition

from chexnet.adapters.kafka.connection import Connection
from chexnet.adapters.kafka.wire import message_in
from chexnet.errors import Unavailable
from chexnet.messages import Message
from chexnet.steps.ports import Place, Start
from chexnet.topics import Topic

PATIENCE = 30.0  # Seconds without progress towards an end that the broker named.


class KafkaReader:
    """A `Reader` of all partitions of some topics."""

    def __init__(
        self, connection: Connection, pipeline: str, topics: Sequence[Topic], start: Start
    ) -> None:
        self._connection = connection
        self._topics = {t.full_name(pipeline): t for t in topics}
        self._consumer = connection.consumer()
        self._consumer.assign(
            [
                TopicPartition(name, p)
                for name, t in self._topics.items()
                for p in range(t.partitions)
            ]
        )
        try:
            self._seek(start)
        except BaseException:
            self.close()
            raise

    def _seek(self, start: Start) -> None:
        everything = list(self._consumer.assignment())
        if start == "end":
            for tp, end in self._consumer.end_offsets(everything).items():
                self._consumer.seek(tp, end)
        elif isinstance(start, datetime):
            asked = {tp: int(start.timestamp() * 1000) for tp in everything}
            found = self._consumer.offsets_for_times(asked)
            ends = self._consumer.end_offsets(everything)
            for tp in everything:
                self._consumer.seek(tp, found[tp].offset if found.get(tp) else ends[tp])
        elif isinstance(start, str):
            self._consumer.seek_to_beginning(*everything)
        else:
            for tp in everything:
                self._consumer.seek(tp, start.get((self._topics[tp.topic].name, tp.partition), 0))

    def poll(self, *, timeout: float) -> list[Message]:
        """Return what has come since, in order per partition."""
        with self._connection.answering():
            batches = self._consumer.poll(timeout_ms=int(timeout * 1000))
        return [message_in(self._topics[tp.topic], r) for tp, rs in batches.items() for r in rs]

    def to_end(self) -> Iterator[Message]:
        """Yield up to the end as the broker names it now; Unavailable if it can't be reached."""
        with self._connection.answering():
            ends = self._consumer.end_offsets(list(self._consumer.assignment()))
        progress = time.monotonic()
        while any(self._position(tp) < end for tp, end in ends.items()):
            messages = self.poll(timeout=0.1)
            yield from messages
            if messages:
                progress = time.monotonic()
            elif time.monotonic() - progress > PATIENCE:
                rule = f"The end of {', '.join(self._topics)} must be reached."
                raise Unavailable(f"{rule} Received: nothing for {PATIENCE:.0f} s. Try again.")

    def _position(self, tp: TopicPartition) -> int:
        with self._connection.answering():
            return int(self._consumer.position(tp))

    def offsets(self) -> dict[Place, int]:
        """Return the next offset of each partition."""
        assigned = self._consumer.assignment()
        return {(self._topics[t.topic].name, t.partition): self._position(t) for t in assigned}

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close(timeout_ms=5000)
