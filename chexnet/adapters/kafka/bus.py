"""KafkaBus: the topics of one pipeline. Only it knows of their prefix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any

from kafka import KafkaProducer
from kafka.errors import (
    InvalidProducerEpochError,
    KafkaError,
    ProducerFencedError,
)

from chexnet.adapters.kafka.connection import Connection
from chexnet.adapters.kafka.reader import KafkaReader
from chexnet.adapters.kafka.subscription import KafkaSubscription
from chexnet.adapters.kafka.wire import headers_out
from chexnet.errors import Stale
from chexnet.messages import Message
from chexnet.settings import Settings
from chexnet.steps.ports import Start
from chexnet.topics import Topic

FENCED = (ProducerFencedError, InvalidProducerEpochError)


class KafkaBus:
    """A `Bus`. Connects when it is first used."""

    def __init__(self, settings: Settings) -> None:
        self._pipeline = settings.pipeline
        self._connection = Connection(settings.kafka, settings.limits.of_input.cleaned_bytes)
        self._producer: KafkaProducer | None = None
        self._making = Lock()

    def send(self, messages: Sequence[Message]) -> None:
        """Write `messages` with acknowledgement of all in-sync replicas."""
        with self._connection.answering():
            with self._making:
                self._producer = producer = self._producer or self._connection.producer()
            try:
                sent = put(producer, self._pipeline, messages)
                producer.flush(timeout=60)
                for future in sent:
                    future.get(timeout=0)
            except KafkaError:
                self._drop(producer)  # It may be lost for good, or refuse what follows.
                raise

    def _drop(self, producer: KafkaProducer) -> None:
        with self._making:
            if self._producer is producer:
                self._producer = None
        producer.close(timeout=1)

    def subscribe(self, topic: Topic, *, group: str, instance: str) -> KafkaSubscription:
        """Join `group` on `topic`."""
        with self._connection.answering():
            return KafkaSubscription(self._connection, self._pipeline, topic, group, instance)

    def read(self, topics: Iterable[Topic], *, start: Start = "beginning") -> KafkaReader:
        """Read `topics` without a group."""
        with self._connection.answering():
            return KafkaReader(self._connection, self._pipeline, tuple(topics), start)

    @contextmanager
    def exclusive(self, name: str) -> Iterator[KafkaExclusive]:
        """Become the writer called `name`."""
        with self._connection.answering():
            producer = self._connection.producer(transactional_id=f"{self._pipeline}.{name}")
        try:
            yield KafkaExclusive(self._connection, self._pipeline, producer, name)
        finally:
            producer.close(timeout=5)

    def close(self) -> None:
        """Close the producer."""
        if self._producer is not None:
            self._producer.close(timeout=5)
            self._producer = None


class KafkaExclusive:
    """A transactional producer whose id all writers of its name share."""

    def __init__(
        self, connection: Connection, pipeline: str, producer: KafkaProducer, name: str
    ) -> None:
        self._connection, self._pipeline = connection, pipeline
        self._producer, self._name = producer, name

    def write(self, messages: Sequence[Message]) -> None:
        """Write all in one transaction; raise Stale if a newer writer has come."""
        with self._connection.answering():
            try:
                transact(self._producer, self._pipeline, messages)
            except KafkaError as error:
                if not _fenced(error):
                    raise
                rule = f"Only one writer may be {self._name!r}. A newer one has come: start again."
                raise Stale(rule) from error


def _fenced(error: KafkaError) -> bool:
    """Whether a newer writer has come; the client also tells that inside of another error."""
    return isinstance(error, FENCED) or any(kind.__name__ in str(error) for kind in FENCED)


def put(producer: KafkaProducer, pipeline: str, messages: Sequence[Message]) -> list[Any]:
    """Hand `messages` to the producer; return their futures."""
    return [
        producer.send(
            m.topic.full_name(pipeline),
            key=m.key.encode(),
            value=m.value,
            headers=headers_out(m.headers),
        )
        for m in messages
    ]


def transact(producer: KafkaProducer, pipeline: str, messages: Sequence[Message]) -> None:
    """Write `messages` in a transaction of their own."""
    producer.begin_transaction()
    try:
        put(producer, pipeline, messages)
        producer.commit_transaction()
    except FENCED:
        raise
    except Exception:
        producer.abort_transaction()
        raise
