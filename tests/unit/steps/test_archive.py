"""Where a message lies in the archive: one folder a patient, and no key can leave it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from chexnet import topics
from chexnet.errors import BadInput
from chexnet.identity.pseudonym import Pseudonyms
from chexnet.messages import Headers, Message
from chexnet.steps.archive import place
from chexnet.topics import Topic
from tests.unit.experiments.records import prediction, read

AT = datetime(2026, 11, 23, 23, 59, tzinfo=UTC)


def message(key: str = "p1", topic: Topic = topics.UPLOADS, value: bytes = b"") -> Message:
    headers = Headers(schema=topic.schemas[-1], upload_id="u1", image_id="i1", created_at=AT)
    return Message(topic=topic, key=key, value=value, headers=headers)


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"\xff\xd8\xff\xe0", "jpg"),
        (bytes(128) + b"DICM", "dcm"),
        (b"1.0\n2.0\n", "bin"),
        (b"", "bin"),
    ],
)
def test_an_upload_is_named_by_its_upload_its_image_and_its_kind(data: bytes, suffix: str) -> None:
    assert place(message(value=data)) == f"/data/20261123/p1/u1.i1.{suffix}"


def test_predictions_and_reads_lie_by_patient_too() -> None:
    said = prediction("i1", "p1", "b", {"Mass": 0.5}).encode()
    path = place(message(topic=topics.PREDICTIONS, value=said))
    assert path == "/data/20261123/p1/upload-i1.b.shadow.json"
    told = read("i1", {"Mass": "present"}, feedback_id="f1").encode()
    assert place(message(topic=topics.FEEDBACK, value=told)) == "/data/20261123/p1/f1.json"


@pytest.mark.parametrize(
    "key",
    [
        "",
        ".",
        "..",
        "../p2",
        "p1/p2",
        "/p1",
        ".hidden",
        "p*",
        "p?",
        "p[1]",
        "{p1,p2}",
        "p1\\p2",
        "p 1",
        "p\n1",
        "p1\n",
        "p\0",
        "ü",
        "x" * 201,
    ],
)
def test_a_key_that_is_no_folder_is_refused(key: str) -> None:
    with pytest.raises(BadInput, match="key must be 1 to 200 letters") as error:
        place(message(key))
    assert len(key) < 4 or key not in str(error.value)  # It may be who the patient is.


def test_an_id_that_leads_elsewhere_is_refused() -> None:
    leads = structs.replace(message().headers, upload_id="../../p2/u1")
    with pytest.raises(BadInput, match="id must be 1 to 200 letters"):
        place(structs.replace(message(), headers=leads))
    said = prediction("i1", "p1", "b", {}, upload_id="u1/..").encode()
    with pytest.raises(BadInput, match="id must be 1 to 200 letters"):
        place(message(topic=topics.PREDICTIONS, value=said))


def test_the_pseudonyms_of_the_gateway_are_folders() -> None:
    unit = Pseudonyms(bytes(32)).of("Doe^Jane / 7", "Hospital *")
    assert place(message(unit)).split("/")[3] == unit


@given(st.text(max_size=200))
def test_whatever_the_key_the_path_has_four_parts_and_no_wildcard(key: str) -> None:
    try:
        path = place(message(key))
    except BadInput:
        return
    assert path.split("/") == ["", "data", "20261123", key, "u1.i1.bin"]
    assert not set(path) & set("*?[]{}\\ \n\0")
