"""Stall: a consumer that has silently ceased to fetch.

kafka-python 3.0.12 was seen to do so after a broker's death. One way there, which network.py
closes: a partition's new leader that metadata does not list yet counts as asked, and never is.
"""

from __future__ import annotations

import time

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

EVERY = 10.0  # Seconds between two looks.
PATIENCE = 5_000  # Milliseconds for the brokers to answer one.


class Stall:
    """Compares where a consumer is with where its partitions ended at the last look."""

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self._due = time.monotonic() + EVERY
        self._seen: dict[TopicPartition, tuple[int, int]] = {}  # Position and end.

    def found(self) -> bool:
        """Whether the brokers don't answer, or something to read has waited since the last look.

        Between two looks, which are EVERY seconds apart, the answer is no and costs nothing.
        """
        if time.monotonic() < self._due:
            return False
        before, self._seen = self._seen, {}
        try:
            partitions = list(self._consumer.assignment())
            ends = self._consumer.end_offsets(partitions, timeout_ms=PATIENCE) if partitions else {}
            for tp, end in ends.items():
                position = self._consumer.position(tp, timeout_ms=PATIENCE)
                if position is None:
                    return True
                self._seen[tp] = (position, end)
        except KafkaError:
            return True
        finally:
            self._due = time.monotonic() + EVERY
        return any(
            position == now[0] < end
            for tp, (position, end) in before.items()
            if (now := self._seen.get(tp))
        )
