"""The platform with `security: true`: who may do what, who gets in, and what the wire shows."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import kafka.net.manager
import numpy as np
import pytest
from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ResourcePattern,
    ResourceType,
)
from kafka.errors import KafkaError

from chexnet import topics
from chexnet.adapters.gateway import HttpGateway
from chexnet.adapters.kafka import KafkaBus
from chexnet.adapters.kafka.connection import Connection
from chexnet.adapters.pachyderm import PachydermStore
from chexnet.adapters.tf_serving import TfServing
from chexnet.errors import Forbidden, NotFound, Unavailable
from chexnet.experiments import control
from chexnet.messages import Headers, Message, new_id, now
from chexnet.settings import KafkaSettings, Settings
from chexnet.topics import Topic
from tests.bad_inputs import png
from tests.commands import chexnet, chexnet_json, release, settings_of
from tests.playbooks import Site, temporary_site
from tests.relay import Relay, relay

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with temporary_site("xray") as made:
        made.variables["security"] = True
        made.up()
        yield made


@pytest.fixture(scope="module")
def secure(site: Site) -> Settings:
    """The settings of an operator's shell."""
    return settings_of(site.state / "xray.env")


def password_file(settings: Settings, user: str) -> Path:
    return settings.state / "secrets" / f"kafka-{user}.password"


def known_as(settings: Settings, user: str, **others: object) -> Settings:
    """Return the same settings for another user of the bus."""
    own = {"user": user, "password_file": password_file(settings, user), **others}
    return settings.model_copy(update={"kafka": settings.kafka.model_copy(update=own)})


@pytest.fixture
def bus(secure: Settings) -> Iterator[Callable[[str], KafkaBus]]:
    """Make the bus as a user sees it."""
    made: list[KafkaBus] = []

    def make(user: str) -> KafkaBus:
        made.append(KafkaBus(known_as(secure, user)))
        return made[-1]

    yield make
    for each in made:
        each.close()


def record(topic: Topic, value: bytes = b"{}") -> Message:
    headers = Headers(schema=topic.schemas[-1], upload_id=new_id(), created_at=now())
    return Message(topic=topic, key="test", value=value, headers=headers)


# Who may do what


@pytest.mark.parametrize("topic", [topics.CONTROL, topics.AUDIT], ids=lambda t: t.name)
@pytest.mark.parametrize("user", ["reader", "service"])
def test_only_an_operator_writes_control_and_audit(
    bus: Callable[[str], KafkaBus], user: str, topic: Topic
) -> None:
    with pytest.raises(Forbidden, match=f"must allow '{user}'.*xray.{topic.name}"):
        bus(user).send([record(topic)])


@pytest.mark.parametrize("user", ["reader", "service"])
def test_nobody_else_becomes_the_writer_of_control(
    bus: Callable[[str], KafkaBus], user: str
) -> None:
    with (
        pytest.raises(Forbidden, match=f"must allow '{user}'.*TransactionalIdAuthorization"),
        bus(user).exclusive(control.WRITER),
    ):
        pass


def test_a_reader_writes_feedback_and_reads_what_readers_are_shown(
    bus: Callable[[str], KafkaBus],
) -> None:
    mine = bus("reader")
    mine.send([record(topics.FEEDBACK)])
    shown = (topics.FEEDBACK, topics.PREDICTIONS, topics.IMAGES, topics.CONTROL, topics.AUDIT)
    reader = mine.read(shown)
    assert any(m.topic == topics.FEEDBACK for m in reader.to_end())
    reader.close()


@pytest.mark.parametrize(
    "topic", [t for t in topics.EVERY if t != topics.FEEDBACK], ids=lambda t: t.name
)
def test_a_reader_writes_nothing_else(bus: Callable[[str], KafkaBus], topic: Topic) -> None:
    with pytest.raises(Forbidden, match="must allow 'reader'"):
        bus("reader").send([record(topic)])


def test_a_reader_does_not_see_the_uploads(bus: Callable[[str], KafkaBus]) -> None:
    reader = bus("reader").read([topics.UPLOADS])
    with pytest.raises(Forbidden, match="must allow 'reader'"):
        list(reader.to_end())
    reader.close()


# Who gets in


def test_a_client_without_a_user_is_refused(secure: Settings) -> None:
    plain = secure.model_copy(update={"kafka": KafkaSettings(bootstrap=secure.kafka.bootstrap)})
    with pytest.raises(Unavailable, match="it may ask for a user: see CHEXNET_KAFKA__SECURITY"):
        KafkaBus(plain).send([record(topics.FEEDBACK)])


def test_tls_alone_is_not_enough(secure: Settings) -> None:
    trust = ssl.create_default_context(cafile=str(secure.kafka.ca_file))
    with pytest.raises(KafkaError):
        KafkaAdminClient(
            bootstrap_servers=secure.kafka.bootstrap,
            security_protocol="SSL",
            ssl_context=trust,
            bootstrap_timeout_ms=3000,
        )


def test_a_wrong_password_is_told_as_such_within_seconds(secure: Settings, tmp_path: Path) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("wrong")
    bus = KafkaBus(known_as(secure, "reader", password_file=wrong))
    began = time.monotonic()
    with pytest.raises(Forbidden, match=f"must know the user 'reader' by its password.*{wrong}"):
        bus.send([record(topics.FEEDBACK)])
    assert time.monotonic() - began < 4


# What the wire shows

FILM = np.random.default_rng(5).integers(0, 256, (1, 224, 224, 1), dtype=np.uint8)


@pytest.fixture(params=["plain", "secure"])
def wired(request: pytest.FixtureRequest) -> Settings:
    """The settings of a platform whose wire is read."""
    if request.param == "plain":
        made: Settings = request.getfixturevalue("stack")
        return made
    return known_as(request.getfixturevalue("secure"), "service")


def on(address: str) -> int:
    return int(address.rpartition(":")[2])


def shows(wire: Relay, what: bytes) -> bool:
    """Return whether the wire showed it; fail where too little passed to have it."""
    assert len(wire.seen) > len(what)
    return what in bytes(wire.seen)


def test_pixels_on_the_bus(wired: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    film, port = FILM.tobytes(), on(wired.kafka.bootstrap)
    with relay(port) as wire:
        connect = kafka.net.manager.create_connection

        def detour(net: object, host: str, to: int, *args: object, **options: object) -> object:
            return connect(net, host, wire.port if to == port else to, *args, **options)

        monkeypatch.setattr(kafka.net.manager, "create_connection", detour)
        bus = KafkaBus(wired)
        bus.send([record(topics.IMAGES.dlq, film)])
        bus.close()
        assert shows(wire, film) == (wired.kafka.security == "plaintext")


def test_pixels_on_the_way_to_serving(wired: Settings) -> None:
    (address,) = wired.serving.addresses
    with relay(on(address)) as wire:
        serving = TfServing([f"127.0.0.1:{wire.port}"], "x", ca_file=wired.serving.ca_file)

        def ask() -> None:
            while True:  # The timeout ends the wait: a busy machine may break a handshake off.
                with suppress(Unavailable):
                    serving.predict(1, FILM)

        with pytest.raises(NotFound):  # It has no such model; it got the pixels all the same.
            ask()
        serving.close()
        assert shows(wire, FILM.tobytes()) == (wired.serving.ca_file is None)


def test_a_film_on_the_way_to_the_store(wired: Settings) -> None:
    with relay(on(wired.store.address)) as wire:
        through = wired.store.model_copy(update={"address": f"127.0.0.1:{wire.port}"})
        store = PachydermStore(through, f"wire-{new_id()}")
        store.ensure("raw")
        store.write("raw", {"/data/film": FILM.tobytes()})
        piece = FILM.tobytes()[:4096]
        assert shows(wire, piece) == (wired.store.ca_file is None)


def test_a_film_and_the_token_on_the_way_to_the_gateway(wired: Settings) -> None:
    film, url = png(), urlsplit(wired.gateway.url)
    with relay(url.port or 0) as wire:
        there = f"{url.scheme}://127.0.0.1:{wire.port}"
        gateway = HttpGateway(wired.gateway.model_copy(update={"url": there}))
        assert gateway.upload(film)
        token = wired.gateway.token_file.read_text().strip().encode()
        plain = url.scheme == "http"
        assert [shows(wire, what) for what in (film, token)] == [plain, plain]


# The whole way, and what is left behind


def test_only_an_operator_decides_and_an_upload_is_answered_over_tls_everywhere(
    secure: Settings, tmp_path: Path
) -> None:
    chexnet(secure, "data", "phantoms", tmp_path / "films", "--count", "200", "--size", "128")
    version = release(secure, tmp_path / "films", "--quick")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHEXNET_KAFKA__USER", "reader")
        patch.setenv("CHEXNET_KAFKA__PASSWORD_FILE", str(password_file(secure, "reader")))
        refused = chexnet(secure, "promote", str(version), code=3).stderr
    assert "must allow 'reader' to do this" in " ".join(refused.split())
    assert "Traceback" not in refused
    chexnet(secure, "promote", str(version))
    decided = chexnet_json(secure, "audit")
    assert [entry["action"] for entry in decided] == ["release", "promote"]
    assert {(entry["who"], entry["verified"]) for entry in decided} == {("operator", True)}
    answer = chexnet_json(secure, "predict", next((tmp_path / "films").glob("*.png")))
    assert answer["version"] == version
    assert len(answer["probabilities"]) == 14


def test_an_operator_sends_dead_letters_back(
    secure: Settings, bus: Callable[[str], KafkaBus]
) -> None:
    bus("service").send([record(topics.UPLOADS.dlq, b"no image")])
    assert "Sent" in chexnet(secure, "dlq", "replay", "uploads").stdout


def test_passwords_and_keys_are_in_their_files_alone(site: Site) -> None:
    secrets = [f for f in (site.state / "secrets").rglob("*") if f.suffix in (".password", ".key")]
    assert len(secrets) >= 4 + 3
    hidden = [line for file in secrets for line in file.read_bytes().splitlines() if line[32:]]
    places = [f for f in site.state.rglob("*") if f.is_file() and "secrets" not in f.parts]
    for process in Path("/proc").glob("[0-9]*"):
        places += [process / "cmdline", process / "environ"]
    for place in places:
        try:
            content = place.read_bytes()
        except OSError:  # A process that has ended; a socket.
            continue
        assert not [1 for secret in hidden if secret in content], place


def test_a_second_run_and_a_check_change_nothing(site: Site) -> None:
    assert site.play("site").changed == site.play("site", "--check").changed == []


def test_a_changed_password_and_a_right_too_many_are_put_right(
    site: Site, secure: Settings, bus: Callable[[str], KafkaBus]
) -> None:
    broker = known_as(secure, "broker", mechanism="PLAIN").kafka
    pattern = ResourcePattern(ResourceType.TOPIC, "xray.control")
    admin = Connection(broker, 0).admin()
    admin.create_acls(
        [ACL("User:reader", "*", ACLOperation.WRITE, ACLPermissionType.ALLOW, pattern)]
    )
    admin.close()
    password_file(secure, "reader").write_text("another")
    outcome = site.play("site", "--tags", "kafka")
    assert outcome.changed == ["kafka : Let the users in", "kafka : Say who may do what"]
    mine = bus("reader")
    mine.send([record(topics.FEEDBACK)])
    with pytest.raises(Forbidden, match="must allow 'reader'"):
        mine.send([record(topics.CONTROL)])
    assert "another" not in outcome.output
