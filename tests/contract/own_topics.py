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
def own_pipeline(stack: Settings, topics: Sequence[Topic]) -> Iterator[Settings]:
    """Yield the settings of a pipeline that has these topics and nothing else."""
    own = stack.model_copy(update={"pipeline": f"contract-{new_id()}"})
    names = [t.full_name(own.pipeline) for t in topics]
    admin = KafkaAdminClient(bootstrap_servers=own.kafka.bootstrap)
    largest = {"max.message.bytes": str(own.limits.of_input.cleaned_bytes + 64 * 2**10)}
    made = [
        NewTopic(name, t.partitions, 1, topic_configs=largest)
        for name, t in zip(names, topics, strict=True)
    ]
    admin.create_topics(made)
    try:
        yield own
    finally:
        admin.delete_topics(names)
        admin.close()


@contextmanager
def own_topics(stack: Settings, topics: Sequence[Topic]) -> Iterator[KafkaBus]:
    """Yield the bus of such a pipeline."""
    with own_pipeline(stack, topics) as own:
        bus = KafkaBus(own)
        try:
            yield bus
        finally:
            bus.close()
