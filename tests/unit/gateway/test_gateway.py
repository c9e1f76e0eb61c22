"""The gateway over the bus in memory: good is sent, bad is told, nobody is named."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pytest
from PIL import Image, PngImagePlugin
from starlette.testclient import TestClient

from chexnet import topics
from chexnet.adapters.memory import MemoryBus
from chexnet.errors import Unavailable
from chexnet.identity.pseudonym import Pseudonyms
from chexnet.inputs.base import Cleaned, Limits
from chexnet.messages import Message, Rejected, new_id, now
from chexnet.runtime.isolate import Isolated
from services.gateway.app import Gateway
from services.gateway.intake import Intake
from services.gateway.main import cleaner
from services.gateway.statuses import Statuses
from tests.bad_inputs import BAD, BAD_ARCHIVES, DICOM_FILES, dicom, png, zipped

PERSON = (b"CompressedSamples", b"9RG1", b"19400305", b"DOE^JANE", b"19700101")
Cleaner = Callable[[bytes, Limits], Cleaned]
LIMITS = Limits(encoded_bytes=32 * 2**20)


class Site:
    """A gateway, its bus and a client."""

    def __init__(self, bus: MemoryBus | None = None, clean: Cleaner | None = None) -> None:
        self.bus, self.statuses = bus or MemoryBus(), Statuses()
        pseudonyms = Pseudonyms(bytes(32))
        clean = clean or cleaner("chest_xray")
        intake = Intake(clean, pseudonyms, LIMITS, new_id=new_id, clock=now)
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


class LosingBus(MemoryBus):
    """A bus that goes away after one message."""

    def send(self, messages: Sequence[Message]) -> None:
        if list(self.read([topics.UPLOADS]).to_end()):
            raise Unavailable("Waiting for Kafka.")
        super().send(messages)


def test_what_was_sent_before_the_bus_went_is_told_and_the_rest_is_refused() -> None:
    site = Site(LosingBus())
    answer = site.client.post("/uploads", content=zipped(a=png(32), b=png(33), c=png(34)))
    assert answer.status_code == 202
    assert [u["index"] for u in answer.json()["uploads"]] == [0]
    assert [(r["index"], r["code"]) for r in answer.json()["refused"]] == [(1, "unavailable")]
    assert site.client.post("/uploads", content=png()).status_code == 503


@pytest.fixture(scope="module")
def isolated() -> Iterator[Isolated]:
    """As the gateway cleans: in a child process."""
    made = Isolated(partial(cleaner, "chest_xray"), memory=2**31, seconds=60)
    yield made
    made.close()


def _named() -> list[bytes]:
    words = PngImagePlugin.PngInfo()
    words.add_text("Patient", "DOE^JANE")
    exif = Image.Exif()
    exif[0x010E] = "DOE^JANE 19700101"
    photo = io.BytesIO()
    Image.new("L", (64, 64), 9).save(photo, "JPEG", exif=exif)
    real = (DICOM_FILES / "RG1_UNCR.dcm").read_bytes()
    in_name = {"19700101 DOE^JANE.png": png(48), "19700101 DOE^JANE.txt": b"no image"}
    misplaced = dicom(lambda d: d.add_new("WindowCenter", "LO", "DOE^JANE"))
    return [
        real,
        misplaced,
        png(pnginfo=words),
        photo.getvalue(),
        png() + b"DOE^JANE",
        zipped(**in_name),
    ]


@pytest.mark.parametrize(
    "data", _named(), ids=["RG1", "in a number", "PNG text", "Exif", "behind", "name in zip"]
)
def test_nobody_is_named_on_the_bus_in_an_answer_or_in_a_log(
    isolated: Isolated,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    data: bytes,
) -> None:
    assert any(word in data for word in PERSON)  # Or this would test nothing.
    caplog.set_level(logging.DEBUG)
    site = Site(clean=isolated)
    answer = site.client.post("/uploads", content=data, headers={"X-Patient-Id": "DOE^JANE"})
    told = [answer.content, caplog.text.encode(), *(text.encode() for text in capfd.readouterr())]
    for topic in topics.EVERY:
        for m in site.bus.read([topic]).to_end():
            told += [m.value, m.key.encode(), repr(m.headers).encode()]
    assert site.sent() or answer.status_code == 422
    assert not [word for word in PERSON if any(word in text for text in told)]
