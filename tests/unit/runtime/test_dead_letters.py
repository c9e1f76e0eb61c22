"""Dead letters go back once, and what failed by its own fault gets them alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chexnet import topics
from chexnet.adapters.memory import MemoryBus
from chexnet.messages import Headers, Message, Rejected
from chexnet.runtime.dead_letters import letters, replay

AT = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("code", "extra"), [("internal", {"step": "shadow"}), ("image", {})], ids=str
)
def test_a_letter_goes_back_once_to_whom_it_is_for(code: str, extra: dict[str, str]) -> None:
    bus = MemoryBus()
    headers = Headers(schema="image/1", upload_id="u", created_at=AT)
    image = Message(topic=topics.IMAGES, key="p", value=b"pixels", headers=headers)
    rejected = Rejected(message=image, code=code, reason="it failed")
    bus.send([rejected.dead_letter("shadow")])
    assert [m.headers.upload_id for m in letters(bus, topics.IMAGES)] == ["u"]
    assert replay(bus, topics.IMAGES, 10) == (1, 0)
    assert replay(bus, topics.IMAGES, 10) == (0, 0)
    (again,) = bus.read([topics.IMAGES]).to_end()
    assert (again.headers.upload_id, again.headers.attempt, again.value) == ("u", 1, b"pixels")
    assert again.headers.extra == extra
