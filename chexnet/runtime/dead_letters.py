"""Dead letters: what lies in a topic's DLQ, and sending it back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import structs

from chexnet.messages import Headers, Message
from chexnet.steps.ports import Bus
from chexnet.topics import Topic

GROUP = "dlq-replay"  # Its offsets say what went back already.


class Replayed(NamedTuple):
    """What became of dead letters."""

    sent: int
    kept: int  # They showed an identity, so their bytes were not kept.


def letters(bus: Bus, topic: Topic) -> Iterator[Message]:
    """Yield the dead letters of a topic, the oldest first."""
    reader = bus.read([topic.dlq])
    try:
        yield from reader.to_end()
    finally:
        reader.close()


def replay(bus: Bus, topic: Topic, limit: int) -> Replayed:
    """Send dead letters back to their topic, the oldest first; each goes back once.

    The upload's id is kept. Where several steps read the topic and one failed by its own fault, the
    letter is for that one: the others have answered, and their answer stays.
    """
    subscription = bus.subscribe(topic.dlq, group=GROUP, instance="0")
    sent = kept = 0
    try:
        while sent + kept < limit:
            found = subscription.poll(at_most=limit - sent - kept, timeout=5)
            if not found:
                break
            back = [
                Message(topic=topic, key=m.key, value=m.value, headers=_again(m.headers))
                for m in found
                if m.value
            ]
            subscription.complete(back)
            sent, kept = sent + len(back), kept + len(found) - len(back)
    finally:
        subscription.close()
    return Replayed(sent, kept)


def _again(headers: Headers) -> Headers:
    own = {"step": headers.extra["step"]} if headers.extra.get("error") == "internal" else {}
    return structs.replace(headers, attempt=headers.attempt + 1, extra=own)
