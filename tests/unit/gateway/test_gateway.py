"""The gateway over the bus in memory: good is sent, bad is told, nobody is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from chexnet import topics
from chexnet.adapters.memory import MemoryBus
from chexnet.identity.pseudonym import Pseudonyms
from chexnet.inputs.base import Limits
from chexnet.messages import Message, Rejected, new_id, now
from services.gateway.app import Gateway
from services.gateway.intake import Intake
from services.gateway.main import cleaner
from services.gateway.statuses import Statuses
from tests.bad_inputs import BAD, BAD_ARCHIVES, dicom, png, zipped

LIMITS = Limits(encoded_bytes=32 * 2**20)


class Site:
    """A gateway, its bus and a client."""

    def __init__(self) -> None:
        self.bus, self.statuses = MemoryBus(), Statuses()
        pseudonyms = Pseudonyms(bytes(32))
        intake = Intake(cleaner("chest_xray"), pseudonyms, LIMITS, new_id=new_id, clock=now)
        app = Gateway(intake, self.statuses, self.bus, token="secret", limits=LIMITS).app()
        self.client = TestClient(app, headers={"Authorization": "Bearer secret"})

    def sent(self) -> list[Message]:
        return list(self.bus.read([topics.UPLOADS]).to_end())


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_film_is_sent_under_its_ids_and_its_status_is_told(site: Site) -> None:
    answer = site.client.post("/uploads", content=png())
    (accepted,) = answer.json()["uploads"]
    (message,) = site.sent()
    assert answer.status_code == 202
    assert message.headers.upload_id == accepted["upload_id"]
    assert message.key == accepted["unit"] == accepted["image_id"]
    status = site.client.get(f"/uploads/{accepted['upload_id']}").json()
    assert status["state"] == "sent"


@pytest.mark.parametrize(
    ("make", "code"), [*BAD.values(), *BAD_ARCHIVES.values()], ids=[*BAD, *BAD_ARCHIVES]
)
def test_a_bad_file_is_refused_and_nothing_is_sent(
    site: Site, make: Callable[[], bytes], code: str
) -> None:
    answer = site.client.post("/uploads", content=make())
    assert answer.status_code == 422
    assert [refused["code"] for refused in answer.json()["refused"]] == [code]
    assert site.sent() == []


def test_a_body_beyond_the_limit_is_cut_off(site: Site) -> None:
    answer = site.client.post("/uploads", content=bytes(LIMITS.encoded_bytes + 1))
    assert answer.status_code == 413
    assert "33,554,432" in answer.json()["refused"][0]["reason"]


def test_in_a_zip_the_good_ones_around_a_bad_one_are_sent(site: Site) -> None:
    body = zipped(a=png(32), b=b"no image", c=dicom(), **{"__MACOSX/a": b"", ".DS_Store": b""})
    answer = site.client.post("/uploads", content=body).json()
    assert [u["index"] for u in answer["uploads"]] == [0, 2]
    assert [(r["index"], r["code"]) for r in answer["refused"]] == [(1, "format")]
    assert len(site.sent()) == 2


def test_the_patient_becomes_a_pseudonym_whoever_states_it(site: Site) -> None:
    site.client.post("/uploads", content=dicom())  # Its PatientID is 9RG1.
    site.client.post("/uploads", content=png(), headers={"X-Patient-Id": "9rg1"})
    site.client.post("/uploads", content=png(), headers={"X-Patient-Id": "M%C3%BCller"})
    first, second, third = sorted(site.sent(), key=lambda m: m.headers.upload_id)
    assert first.key == second.key == Pseudonyms(bytes(32)).of("9RG1")
    assert third.key == Pseudonyms(bytes(32)).of("Müller")
    for message in (first, second, third):
        assert b"9RG1" not in message.value
        assert "9RG1" not in str(message.headers)


def test_the_same_image_is_recognised(site: Site) -> None:
    first, second = (site.client.post("/uploads", content=png()).json() for _ in range(2))
    assert not first["uploads"][0]["duplicate"]
    assert second["uploads"][0]["duplicate"]
    assert len(site.sent()) == 2  # A second act of uploading all the same.


@pytest.mark.parametrize("token", ["", "Bearer wrong", "Bearer sécret"])
def test_without_the_token_nothing_is_taken_or_told(site: Site, token: str) -> None:
    headers = {"Authorization": token.encode()}
    assert site.client.post("/uploads", content=png(), headers=headers).status_code == 401
    assert site.client.get("/uploads/x", headers=headers).status_code == 401
    assert site.sent() == []


def test_states_only_go_forward_and_a_reject_says_why(site: Site) -> None:
    site.client.post("/uploads", content=png())
    (upload,) = site.sent()
    reject = Rejected(message=upload, code="unreadable", reason="A PNG must be whole.")
    site.statuses.see(reject.dead_letter())
    site.statuses.see(upload.to(topics.IMAGES, value=b""))
    events = site.client.get(f"/uploads/{upload.headers.upload_id}/events").text
    assert '"state":"rejected","reason":"A PNG must be whole."' in events


def test_an_unknown_upload_is_not_found(site: Site) -> None:
    assert site.client.get("/uploads/none").status_code == 404
