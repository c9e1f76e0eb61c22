"""KafkaBus, over producers of which the first is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from kafka.errors import KafkaError, MessageSizeTooLargeError, TopicAuthorizationFailedError

from chexnet import topics
from chexnet.adapters.kafka import KafkaBus
from chexnet.errors import Forbidden, Unavailable
from chexnet.messages import Headers, Message
from chexnet.settings import KafkaSettings, LimitSettings, Settings


class Producer:
    """One that fails for good with its first error, as kafka-python's does."""

    def __init__(self, failure: KafkaError | None) -> None:
        self.failure = failure
        self.closed = False

    def send(self, *_: object, **__: object) -> Producer:
        return self  # Its own future.

    def get(self, timeout: float) -> None:
        del timeout
        if self.failure:
            raise self.failure

    def flush(self, timeout: float) -> None:
        pass

    def close(self, timeout: float) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("failure", "told"),
    [(TopicAuthorizationFailedError(), Forbidden), (MessageSizeTooLargeError(), Unavailable)],
)
def test_what_a_broker_refuses_fails_no_later_message(
    failure: KafkaError, told: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = KafkaSettings(bootstrap="127.0.0.1:1")
    bus = KafkaBus(Settings.model_construct(kafka=nowhere, limits=LimitSettings(), pipeline="xray"))
    made = [Producer(failure), Producer(None)]
    ready = iter(made)
    monkeypatch.setattr(bus._connection, "producer", lambda: next(ready))
    message = Message(
        topic=topics.UPLOADS,
        key="k",
        value=b"v",
        headers=Headers(schema="xray.upload/1", created_at=datetime(2026, 1, 1, tzinfo=UTC)),
    )
    with pytest.raises(told):
        bus.send([message])
    bus.send([message])
    assert [producer.closed for producer in made] == [True, False]
