"""The envelope and the records: what other processes keep must be read for years."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chexnet import topics
from chexnet.errors import BadInput
from chexnet.messages import (
    Control,
    Feedback,
    Headers,
    Message,
    Rejected,
    Tensor,
    decode,
    decode_json,
    new_id,
    sha256,
)

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def message(value: bytes = b"", schema: str = "feedback/1") -> Message:
    headers = Headers(schema=schema, upload_id="u", image_id="i", created_at=AT, attempt=2)
    return Message(topic=topics.FEEDBACK, key="unit", value=value, headers=headers)


def feedback() -> Feedback:
    return Feedback(
        feedback_id="f",
        image_id="i",
        unit="unit",
        reader="r",
        findings={"Effusion": "present"},
        protocol="blinded",
        recorded_at=AT,
    )


def test_a_record_survives_the_bus() -> None:
    assert decode(message(feedback().encode()), Feedback) == feedback()


def test_a_field_of_a_newer_writer_is_ignored() -> None:
    newer = msgspec.json.decode(feedback().encode()) | {"field_of_2030": 1}
    assert decode(message(msgspec.json.encode(newer)), Feedback) == feedback()


def test_a_reading_from_before_there_were_boxes_and_notes_can_be_read() -> None:
    older = msgspec.json.decode(feedback().encode())
    del older["boxes"], older["note"]
    assert decode(message(msgspec.json.encode(older)), Feedback) == feedback()


@pytest.mark.parametrize(
    "more",
    [{"note": "x" * 2001}, {"boxes": [{"label": "Effusion", "x": 2, "y": 0, "w": 1, "h": 1}]}],
)
def test_a_reading_that_is_too_long_or_lies_outside_is_malformed(more) -> None:
    told = msgspec.json.decode(feedback().encode()) | more
    with pytest.raises(BadInput, match="feedback must be the JSON of its schema"):
        decode(message(msgspec.json.encode(told)), Feedback)


def test_a_schema_that_is_not_understood_says_what_to_do() -> None:
    with pytest.raises(BadInput, match=r"feedback/1.*'feedback/9'.*dlq replay feedback") as caught:
        decode(message(feedback().encode(), schema="feedback/9"), Feedback)
    assert caught.value.code == "schema"


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b'{"findings": {"Effusion": "maybe"}}'])
def test_a_value_that_is_no_record_is_malformed(value: bytes) -> None:
    with pytest.raises(BadInput) as caught:
        decode_json(value, Feedback)
    assert caught.value.code == "malformed"


def test_the_next_message_keeps_unit_upload_and_time_but_not_the_attempts() -> None:
    made = message(schema="image/1").to(topics.PREDICTIONS, value=b"new")
    assert (made.key, made.headers.upload_id, made.headers.created_at) == ("unit", "u", AT)
    assert (made.headers.schema, made.headers.attempt) == ("prediction/1", 0)


def test_a_dead_letter_says_where_it_comes_from_and_why() -> None:
    letter = Rejected(message=message(b"bytes"), code="too-large", reason="Why.").dead_letter()
    assert letter.topic == topics.FEEDBACK.dlq
    assert letter.value == b"bytes"
    extra = letter.headers.extra
    assert (extra["error"], extra["reason"], extra["bytes"]) == ("too-large", "Why.", "5")
    assert extra["origin"] == "feedback/-1/-1"


def test_a_dead_letter_may_keep_the_hash_without_the_bytes() -> None:
    secret = Rejected(message=message(b"DOE^JANE"), code="identity", reason=".", keep_bytes=False)
    letter = secret.dead_letter()
    assert letter.value == b""
    assert letter.headers.extra["sha256"] == sha256(b"DOE^JANE")


def test_ids_sort_by_the_time_they_were_made() -> None:
    ids = [new_id() for _ in range(100)]
    assert ids == sorted(set(ids))


@given(st.lists(st.floats(0, 1, width=16), min_size=1, max_size=20))
def test_a_tensor_keeps_half_precision_exactly(values: list[float]) -> None:
    array = np.array(values, np.float16)
    packed = msgspec.json.decode(msgspec.json.encode(Tensor.of(array)), type=Tensor)
    np.testing.assert_array_equal(packed.array(), array)


def test_an_empty_control_has_nothing_loaded() -> None:
    assert Control.empty("xray").loaded == set()


def test_champion_previous_arms_and_those_about_to_serve_stay_loaded() -> None:
    control = msgspec.structs.replace(
        Control.empty("xray"), champion=3, previous=1, arms={"b": 4}, keep=(7,)
    )
    assert control.loaded == {1, 3, 4, 7}
