"""A pipeline of a test's own on the running broker, gone with the test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from chexnet.adapters.kafka import KafkaBus
from chexnet.messages import new_id
from chexnet.settings import Settings
from chexnet.topics import Topic


@contextmanager
def own_topics(stack: Settings, topics: Sequence[Topic]) -> Iterator[KafkaBus]:
    own = stack.model_copy(update={"pipeline": f"contract-{new_id()}"})
    names = [t.full_name(own.pipeline) for t in topics]
    admin = KafkaAdminClient(bootstrap_servers=own.kafka.bootstrap)
    made = [NewTopic(n, t.partitions, 1) for n, t in zip(names, topics, strict=True)]
    admin.create_topics(made)
    bus = KafkaBus(own)
    try:
        yield bus
    finally:
        bus.close()
        admin.delete_topics(names)
        admin.close()
