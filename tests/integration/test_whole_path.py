"""The whole path on the real stack: upload, prediction, archive, lineage; and nobody's name."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from chexnet import topics
from chexnet.adapters.gateway import HttpGateway
from chexnet.adapters.kafka import KafkaBus
from chexnet.adapters.pachyderm import PachydermStore
from chexnet.inputs.base import load
from chexnet.messages import Headers, Message, Prediction, decode, decode_json, new_id, now, sha256
from chexnet.runtime.following import outcomes
from chexnet.runtime.lineage import trace
from chexnet.settings import Settings
from tests.bad_inputs import BAD, DICOM_FILES, png, zipped

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("champion")]


@pytest.fixture(scope="module")
def bus(stack: Settings) -> Iterator[KafkaBus]:
    made = KafkaBus(stack)
    yield made
    made.close()


@pytest.fixture(scope="module")
def gateway(stack: Settings) -> Iterator[HttpGateway]:
    made = HttpGateway(stack.gateway)
    yield made
    made.close()


@pytest.fixture(scope="module")
def store(stack: Settings) -> PachydermStore:
    return PachydermStore(stack.store, stack.pipeline)


def archived(store: PachydermStore, repo: str, ids: set[str]) -> dict[str, list[str]]:
    """Return id → its files in `repo`, waiting until each id has one; the timeout ends the wait."""
    for _ in iter(int, 1):
        found: dict[str, list[str]] = {}
        for path in store.list(repo, "/data"):
            upload_id = Path(path).name.split(".")[0]
            if upload_id in ids:
                found.setdefault(upload_id, []).append(path)
        if set(found) == ids:
            return found
    raise AssertionError


def predictions(bus: KafkaBus, ids: set[str]) -> list[Prediction]:
    reader = bus.read([topics.PREDICTIONS])
    found = [decode(m, Prediction) for m in reader.to_end() if m.headers.upload_id in ids]
    reader.close()
    return found


# First, since later tests put films with their tags on the bus directly.
NAMED = b"Quxley^Zebedee", b"19370211"


def planted() -> list[bytes]:
    """A real film, and one in which a name stands in every place that a PNG or a zip has."""
    from PIL import Image, PngImagePlugin

    words, exif = PngImagePlugin.PngInfo(), Image.Exif()
    words.add_text("Patient", b" ".join(NAMED).decode())
    exif[0x010E] = NAMED[0].decode()
    film = png(96, pnginfo=words, exif=exif)
    return [
        (DICOM_FILES / "RG1_UNCR.dcm").read_bytes(),
        zipped(**{f"{NAMED[0].decode()}.png": film}),
    ]


def test_nobodys_name_is_in_any_topic_repo_log_or_dead_letter(
    bus: KafkaBus, gateway: HttpGateway, store: PachydermStore, stack: Settings
) -> None:
    secrets = [*NAMED, b"CompressedSamples", b"19400305", b"THORAVISION"]
    began = now()
    ids = [
        gateway.send(body, patient=None if n == 0 else NAMED[0].decode()).uploads[0].upload_id
        for n, body in enumerate(planted())
    ]
    list(outcomes(bus, ids, since=began, patience=60))
    archived(store, "predictions", set(ids))
    archived(store, "raw", set(ids))
    reader = bus.read(topics.EVERY)
    for message in reader.to_end():
        everything = message.value + message.key.encode() + str(message.headers).encode()
        assert not [secret for secret in secrets if secret in everything], message.topic.name
    reader.close()
    for repo in ("raw", "predictions", "feedback"):
        for path, data in store.fetch(repo):
            assert not [secret for secret in secrets if secret in data + path.encode()], path
    for secret in secrets:
        found = subprocess.run(
            ["grep", "-rlaF", "--exclude-dir=jars", secret.decode(), str(stack.state)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.stdout == ""


def test_real_films_are_predicted_once_archived_once_and_traceable(
    shared: Path, bus: KafkaBus, gateway: HttpGateway, store: PachydermStore, stack: Settings
) -> None:
    films = sorted((shared / "nih-sample/images").iterdir())[:200]
    films += sorted((shared / "dicom").iterdir())
    began = now()
    ids = {gateway.upload(film.read_bytes())[0].upload_id for film in films}
    assert len(ids) == 202
    ends = list(outcomes(bus, ids, since=began, patience=120))
    assert Counter(m.topic.name for m in ends) == {"predictions": 202}
    assert Counter(p.upload_id for p in predictions(bus, ids)) == dict.fromkeys(ids, 1)
    raw = archived(store, "raw", ids)
    record = archived(store, "predictions", ids)
    assert {len(paths) for paths in raw.values()} == {1}
    source, limits = load(stack.input), stack.limits.of_input
    for upload_id in sorted(ids)[::20]:
        told = decode_json(store.read("predictions", record[upload_id][0]), Prediction)
        canonical = source.decode(store.read("raw", raw[upload_id][0]), limits)
        assert told.tensor_sha256 == sha256(canonical.tobytes())
        kinds = {node.kind for node in walk(trace(store, stack.model, upload_id))}
        assert {"upload", "prediction", "version", "dataset"} <= kinds


def walk(node):
    yield node
    for link in (*node.links, *node.leads):
        yield from walk(link)


def test_bad_files_on_the_bus_are_dead_letters_and_good_ones_around_them_pass(
    bus: KafkaBus,
) -> None:
    def upload(value: bytes) -> Message:
        headers = Headers(
            schema="upload/1", upload_id=new_id(), image_id=sha256(value), created_at=now()
        )
        return Message(topic=topics.UPLOADS, key="bad-inputs", value=value, headers=headers)

    began = now()
    good = [upload(png(64 + n)) for n in range(len(BAD) + 1)]
    bad = {name: upload(make()) for name, (make, _) in BAD.items()}
    mixed = [good[0]]
    for after, message in zip(good[1:], bad.values(), strict=True):
        mixed += [message, after]
    bus.send(mixed)
    ids = [m.headers.upload_id for m in mixed]
    ends = {m.headers.upload_id: m for m in outcomes(bus, ids, since=began, patience=120)}
    for message in good:
        assert ends[message.headers.upload_id].topic == topics.PREDICTIONS
    for name, message in bad.items():
        letter = ends[message.headers.upload_id]
        assert letter.topic == topics.UPLOADS.dlq, name
        # On the bus a film with its tags is an identity; that its file is bad may come second.
        assert letter.headers.extra["error"] in {BAD[name][1], "identity"}, name
        assert "Received: " in letter.headers.extra["reason"]


def test_an_unknown_schema_waits_in_the_dlq_for_an_upgrade(bus: KafkaBus) -> None:
    headers = Headers(schema="upload/9", upload_id=new_id(), image_id="i", created_at=now())
    message = Message(topic=topics.UPLOADS, key="k", value=png(), headers=headers)
    began = now()
    bus.send([message])
    (letter,) = outcomes(bus, [headers.upload_id], since=began, patience=60)
    assert letter.value == message.value
    assert "upload/1" in letter.headers.extra["reason"]
