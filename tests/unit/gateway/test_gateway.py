"""The gateway over the bus in memory: good is sent, bad is told, nobody is named."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from starlette.testclient import TestClient

from chexnet import topics
from chexnet.adapters.memory import MemoryBus, MemoryStore
from chexnet.errors import Unavailable
from chexnet.identity.pseudonym import Pseudonyms
from chexnet.inputs.base import Cleaned, Limits
from chexnet.inputs.chest_xray import ChestXray
from chexnet.messages import Message, Rejected, new_id, now
from chexnet.runtime.isolate import Isolated
from chexnet.steps.archive import place
from services.gateway.app import Gateway
from services.gateway.films import Films
from services.gateway.intake import Intake
from services.gateway.main import cleaner, viewer
from services.gateway.statuses import Status, Statuses
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
        self.store = MemoryStore()
        self.store.ensure("raw")
        films = Films(self.store, viewer("chest_xray"), LIMITS)
        app = Gateway(
            intake, self.statuses, films, self.bus, tokens=["secret", "of-a-guest"], limits=LIMITS
        ).app()
        self.client = TestClient(app, headers={"Authorization": "Bearer secret"})

    def sent(self) -> list[Message]:
        return list(self.bus.read([topics.UPLOADS]).to_end())

    def archive(self) -> None:
        self.store.write("raw", {place(m): m.value for m in self.sent()})


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_guests_token_is_taken_too(site: Site) -> None:
    headers = {"Authorization": "Bearer of-a-guest"}
    assert site.client.post("/uploads", content=png(), headers=headers).status_code == 202


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


def of_issuer(issuer: str) -> bytes:
    return dicom(lambda d: setattr(d, "IssuerOfPatientID", issuer))


@pytest.mark.parametrize(
    ("file", "headers"),
    [
        (dicom(), {"X-Patient-Id": "1815"}),
        (of_issuer("Here"), {"X-Patient-Id": "9RG1", "X-Patient-Issuer": "There"}),
    ],
    ids=["another id", "another issuer"],
)
def test_an_id_left_in_the_field_does_not_move_a_film_to_another_patient(
    site: Site, file: bytes, headers: dict[str, str]
) -> None:
    answer = site.client.post("/uploads", content=file, headers=headers)
    (refused,) = answer.json()["refused"]
    assert refused["code"] == "patient-mismatch"
    assert not {"9RG1", "1815", "Here", "There"} & set(refused["reason"].split())
    assert site.sent() == []


def test_a_stated_id_that_is_the_files_keeps_the_files_issuer(site: Site) -> None:
    for headers in ({}, {"X-Patient-Id": "9rg1"}):
        site.client.post("/uploads", content=of_issuer("Here"), headers=headers)
    assert {m.key for m in site.sent()} == {Pseudonyms(bytes(32)).of("9RG1", "Here")}


def test_in_a_mixed_zip_only_the_stated_patients_films_are_taken(site: Site) -> None:
    other = dicom(lambda d: setattr(d, "PatientID", "1815"))
    body = zipped(a=dicom(), b=other, c=png())
    answer = site.client.post("/uploads", content=body, headers={"X-Patient-Id": "9RG1"}).json()
    assert [u["index"] for u in answer["uploads"]] == [0, 2]
    assert [(r["index"], r["code"]) for r in answer["refused"]] == [(1, "patient-mismatch")]


def test_a_film_of_noise_as_large_as_allowed_is_taken(site: Site) -> None:
    side = 5750  # Nothing packs it: 31.6 MiB.
    noise = np.random.default_rng(0).integers(0, 256, (side, side), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG", compress_level=0)
    assert 31 * 2**20 < len(file.getvalue()) < LIMITS.encoded_bytes
    assert site.client.post("/uploads", content=file.getvalue()).status_code == 202
    (upload,) = site.sent()
    assert ChestXray().decode(upload.value, LIMITS).shape == (224, 224, 1)


def test_the_same_image_is_recognised(site: Site) -> None:
    first, second = (site.client.post("/uploads", content=png()).json() for _ in range(2))
    assert not first["uploads"][0]["duplicate"]
    assert second["uploads"][0]["duplicate"]
    assert len(site.sent()) == 2  # A second act of uploading all the same.


@pytest.mark.parametrize("token", ["", "Bearer wrong", "Bearer sécret"])
def test_without_the_token_nothing_is_taken_or_told(site: Site, token: str) -> None:
    headers = {"Authorization": token.encode()}
    assert site.client.post("/uploads", content=png(), headers=headers).status_code == 401
    for path in ("/uploads/x", "/images/x", "/patients/x/images"):
        assert site.client.get(path, headers=headers).status_code == 401
    assert site.sent() == []


def test_states_only_go_forward_and_a_reject_says_why(site: Site) -> None:
    site.client.post("/uploads", content=png())
    (upload,) = site.sent()
    reject = Rejected(message=upload, code="unreadable", reason="A PNG must be whole.")
    site.statuses.see(reject.dead_letter())
    site.statuses.see(upload.to(topics.IMAGES, value=b""))
    events = site.client.get(f"/uploads/{upload.headers.upload_id}/events").text
    assert '"state":"rejected","reason":"A PNG must be whole."' in events


def test_a_replayed_upload_that_is_predicted_stays_so(site: Site) -> None:
    site.client.post("/uploads", content=png())
    (upload,) = site.sent()
    site.statuses.sent(upload)
    predicted = Status(
        upload_id=upload.headers.upload_id, image_id=upload.headers.image_id, state="predicted"
    )
    site.statuses._set(predicted)
    reject = Rejected(message=upload, code="unreadable", reason="A PNG must be whole.")
    site.statuses.see(reject.dead_letter())
    assert site.statuses.get(upload.headers.upload_id) == predicted


def test_an_unknown_upload_is_not_found(site: Site) -> None:
    assert site.client.get("/uploads/none").status_code == 404


@pytest.mark.parametrize(
    ("data", "depth", "side"),
    [(png(300), "L", 300), (dicom(), "I;16", 64)],
    ids=["PNG", "DICOM"],
)
def test_an_image_is_shown_at_its_own_resolution_once_the_archive_has_it(
    site: Site, data: bytes, depth: str, side: int
) -> None:
    (accepted,) = site.client.post("/uploads", content=data).json()["uploads"]
    where = f"/images/{accepted['image_id']}"
    assert site.client.get(where).status_code == 404
    site.archive()
    answer = site.client.get(where)
    shown = Image.open(io.BytesIO(answer.content))
    assert (answer.headers["content-type"], shown.mode) == ("image/png", depth)
    assert shown.size == (side, side)


def test_a_patients_images_are_listed_newest_first_and_a_strangers_are_not(site: Site) -> None:
    sizes, who = (32, 33), {"X-Patient-Id": "9RG1"}
    older, newer = (
        site.client.post("/uploads", content=png(n), headers=who).json()["uploads"][0]
        for n in sizes
    )
    site.client.post("/uploads", content=png(34))
    site.archive()
    films = site.client.get(f"/patients/{older['unit']}/images").json()["images"]
    assert [f["image_id"] for f in films] == [newer["image_id"], older["image_id"]]


def test_an_id_that_is_a_pattern_finds_nothing(site: Site) -> None:
    assert site.client.get("/images/*").status_code == 422
    assert site.client.get("/patients/*/images").status_code == 422


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
