"""Messages as Kafka records. Reading never fails: what nobody understands is a step's reject."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from chexnet.messages import Headers, Message
from chexnet.topics import Topic

EXTRA = "x-"  # Before the headers that only some messages have, e.g. a dead letter's reason.


def headers_out(headers: Headers) -> list[tuple[str, bytes]]:
    """Return `headers` as Kafka takes them."""
    fields = {
        "schema": headers.schema,
        "upload_id": headers.upload_id,
        "image_id": headers.image_id,
        "created_at": headers.created_at.isoformat(),
        "traceparent": headers.traceparent,
        "attempt": str(headers.attempt or ""),
        **{EXTRA + name: value for name, value in headers.extra.items()},
    }
    return [(name, value.encode()) for name, value in fields.items() if value]


def message_in(topic: Topic, record: Any) -> Message:
    """Return the Kafka `record` of `topic` as a message."""
    found = {name: value.decode(errors="replace") for name, value in record.headers if value}
    stamped = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    attempt = found.get("attempt", "0")
    headers = Headers(
        schema=found.get("schema", ""),
        upload_id=found.get("upload_id", ""),
        image_id=found.get("image_id", ""),
        created_at=_moment(found.get("created_at", ""), stamped),
        traceparent=found.get("traceparent", ""),
        attempt=int(attempt) if attempt.isdecimal() else 0,
        extra={n.removeprefix(EXTRA): v for n, v in found.items() if n.startswith(EXTRA)},
    )
    return Message(
        topic=topic,
        key=(record.key or b"").decode(errors="replace"),
        value=record.value or b"",
        headers=headers,
        partition=record.partition,
        offset=record.offset,
    )


def _moment(text: str, otherwise: datetime) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return otherwise
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
