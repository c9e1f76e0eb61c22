"""What is known of cases: whatever order the bus tells it in, and however many there are."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from msgspec import structs

from chexnet import topics
from chexnet.messages import Headers, Message, Rejected, now
from chexnet.ui import cases as module
from chexnet.ui.cases import Case, Cases
from tests.unit.ui.stack import Pipeline
from tests.waveform import signals

PIPELINE = Pipeline()
CANONICAL = np.zeros(PIPELINE.source.shape, np.uint8).tobytes()


def upload(upload_id: str = "u", seconds: float = 0.0) -> Message:
    at = now() + timedelta(seconds=seconds)
    headers = Headers(schema="upload/1", upload_id=upload_id, image_id=upload_id, created_at=at)
    return Message(topic=topics.UPLOADS, key="unit", value=b"", headers=headers)


def checked(of: Message, attempt: int = 0) -> Message:
    made = of.to(topics.IMAGES, value=CANONICAL)
    return structs.replace(made, headers=structs.replace(made.headers, attempt=attempt))


def dead(of: Message, topic: topics.Topic = topics.UPLOADS, attempt: int = 0) -> Message:
    tried = structs.replace(of, topic=topic, headers=structs.replace(of.headers, attempt=attempt))
    return Rejected(message=tried, code="bad", reason="It was bad.").dead_letter()


def answered() -> Message:
    pipeline = Pipeline()
    pipeline.send(next(signals.draw(1)).data)
    (sent,) = pipeline.uploads()
    pipeline.predict(sent)
    (made,) = pipeline.bus.read([topics.PREDICTIONS]).to_end()
    return made


def after(*messages: Message) -> Case:
    known = Cases(PIPELINE.source)
    for message in messages:
        known.see(message)
    (case,) = known.all()
    return case


def test_a_case_with_an_answer_is_never_refused() -> None:
    answer = answered()
    case = after(answer, dead(answer, topics.IMAGES))
    assert (case.state, case.error) == ("predicted", "")


def test_a_replay_that_succeeds_takes_the_refusal_back() -> None:
    up = upload()
    assert after(dead(up)).state == "refused"
    case = after(dead(up), checked(up))
    assert (case.state, case.error) == ("checked", "")
    assert after(checked(up), dead(up)).state == "checked"  # Topics are read in any order.


def test_a_refusal_of_a_later_step_stands_until_a_later_attempt() -> None:
    up = upload()
    letter = dead(up, topics.IMAGES, attempt=3)
    assert after(checked(up), letter).state == "refused"
    assert after(letter, checked(up)).state == "refused"
    again = checked(up, attempt=4)
    assert after(checked(up), letter, again).state == "checked"
    assert after(again, letter).state == "checked"
    assert after(again, letter, dead(up, topics.IMAGES, attempt=5)).state == "refused"


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Cases:
    monkeypatch.setattr(module, "KEPT", 5)
    monkeypatch.setattr(module, "SLACK", 0)
    return Cases(PIPELINE.source, is_read=lambda case: case.upload_id.startswith("read"))


def ids(known: Cases) -> set[str]:
    return {case.upload_id for case in known.all()}


def test_what_is_being_read_or_the_readers_own_stays_and_what_is_read_leaves_first(
    few: Cases,
) -> None:
    few.begin("mine", 1)
    few.see(checked(upload("chosen")))
    few.keep(few.all()[-1].case_id)
    few.see(checked(upload("unread", 1)))
    few.see(checked(upload("read", 2)))
    for number in range(2):
        few.see(checked(upload(f"new{number}", 3 + number)))
    assert ids(few) == {"", "chosen", "unread", "new0", "new1"}
    few.see(checked(upload("newest", 9)))
    assert ids(few) == {"", "chosen", "new0", "new1", "newest"}  # The oldest unread goes next.


def test_what_has_left_is_not_brought_back_by_what_else_the_bus_has_of_it(few: Cases) -> None:
    old = upload("old", -60)
    for message in (old, *(upload(f"new{number}") for number in range(5))):
        few.see(checked(message))
    assert "old" not in ids(few)
    few.see(checked(old))
    assert "old" not in ids(few)
