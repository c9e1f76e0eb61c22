"""Preprocess decides good or bad; it never sends a bad file's identity on."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from msgspec import structs
from numpy.typing import NDArray

from chexnet import topics
from chexnet.errors import BadInput
from chexnet.inputs.base import Limits
from chexnet.messages import Headers, Message, Rejected
from chexnet.steps.preprocess import preprocess

HEADERS = Headers(
    schema="upload/1", upload_id="u", image_id="i", created_at=datetime(2026, 1, 2, tzinfo=UTC)
)
UPLOAD = Message(topic=topics.UPLOADS, key="unit", value=b"\x01\x02", headers=HEADERS)
LIMITS = Limits(encoded_bytes=10)


class Bytes:
    """A decoder whose canonical image is the file's bytes."""

    def decode(self, data: bytes, limits: Limits) -> NDArray[np.uint8]:
        if data == b"JANE":
            raise BadInput("identity", "An image must not name its patient.")
        if data == b"bad":
            raise BadInput("truncated", "A PNG must be whole.")
        return np.frombuffer(data, np.uint8)


def one(upload: Message) -> Message | Rejected:
    (made,) = preprocess(upload, source=Bytes(), limits=LIMITS)
    return made


def test_an_upload_becomes_its_canonical_image_under_the_same_ids() -> None:
    made = one(UPLOAD)
    assert isinstance(made, Message)
    assert (made.topic, made.key, made.value) == (topics.IMAGES, "unit", b"\x01\x02")
    assert (made.headers.upload_id, made.headers.schema) == ("u", "image/1")


@pytest.mark.parametrize(
    ("upload", "code"),
    [
        (structs.replace(UPLOAD, value=b"bad"), "truncated"),
        (structs.replace(UPLOAD, value=bytes(LIMITS.cleaned_bytes + 1)), "too-large"),
        (structs.replace(UPLOAD, key=""), "headers"),
        (structs.replace(UPLOAD, headers=structs.replace(HEADERS, upload_id="")), "headers"),
        (structs.replace(UPLOAD, headers=structs.replace(HEADERS, schema="upload/9")), "schema"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_bad_is_rejected_with_its_bytes(upload: Message, code: str) -> None:
    made = one(upload)
    assert isinstance(made, Rejected)
    assert (made.code, made.keep_bytes) == (code, True)


def test_identity_is_rejected_without_its_bytes() -> None:
    made = one(structs.replace(UPLOAD, value=b"JANE"))
    assert isinstance(made, Rejected)
    assert made.dead_letter().value == b""


def test_a_bug_is_not_the_files_fault() -> None:
    class Broken:
        def decode(self, data: bytes, limits: Limits) -> NDArray[np.uint8]:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        preprocess(UPLOAD, source=Broken(), limits=LIMITS)
