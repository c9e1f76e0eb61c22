"""Three brokers and two model servers, really started: one of each dies under load."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import docker
import pytest
from docker.models.containers import Container

from chexnet.adapters.kafka import KafkaBus
from chexnet.adapters.kafka.connection import Connection
from chexnet.adapters.tf_serving import TfServing
from chexnet.errors import Unavailable
from chexnet.experiments import control
from chexnet.settings import Settings
from tests.commands import chexnet, chexnet_json, settings_of
from tests.docker.cluster import BROKERS, NETWORK, SERVERS, cluster
from tests.load import Load, assert_each_once, until_well


@pytest.fixture(scope="module")
def stack(engine: docker.DockerClient) -> Iterator[Settings]:
    """The cluster, up."""
    del engine
    with cluster() as site:
        site.up()
        yield settings_of(site.state / "xray.env")


@pytest.fixture(scope="module")
def champion(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The cluster with a champion, trained by the runner's container."""
    folder = tmp_path_factory.mktemp("phantoms")
    chexnet(stack, "data", "phantoms", folder, "--count", "400", "--size", "256")
    chexnet_json(stack, "data", "import", folder, "--name", "training")
    chexnet_json(stack, "dataset", "cut")
    chexnet(stack, "promote", str(released(stack, "a")))
    return stack


def released(settings: Settings, line: str) -> int:
    """Train and release a line; return the version."""
    options = ("--line", line, "--dataset", "dataset", "--config", "demo_a", "--quick")
    chexnet_json(settings, "train", *options)
    return int(chexnet_json(settings, "release", "--line", line)["version"])


@pytest.fixture
def bus(stack: Settings) -> Iterator[KafkaBus]:
    made = KafkaBus(stack)
    yield made
    made.close()


def container(engine: docker.DockerClient, host: str, service: str) -> Container:
    found: Container = engine.containers.get(f"{NETWORK}-{host}-{service}-{host}-1")
    return found


def test_every_topic_has_three_copies_on_three_brokers(stack: Settings) -> None:
    admin = Connection(stack.kafka, stack.limits.encoded_bytes).admin()
    topics = admin.describe_topics()
    admin.close()
    data = [t for t in topics if t["name"].startswith("xray.")]
    assert data
    for topic in data:
        for partition in topic["partitions"]:
            assert sorted(partition["replica_nodes"]) == [1, 2, 3], topic["name"]


@pytest.mark.parametrize(("host", "service"), [(BROKERS[1], "kafka"), (SERVERS[0], "tf-serving")])
def test_one_that_stays_dead_under_load_loses_nothing(
    host: str, service: str, engine: docker.DockerClient, champion: Settings, bus: KafkaBus
) -> None:
    victim = container(engine, host, service)
    until_well(champion)
    with Load(champion) as load:
        load.more(10)
        victim.kill()
        load.more(30)
        victim.start()
        load.more(10)
    assert_each_once(champion, bus, load)


def _states(settings: Settings) -> dict[str, dict[int, str]]:
    """Return what each server holds, when both answer; the timeout ends the wait."""
    serving = TfServing.of(settings.serving, settings.model)
    for _ in iter(int, 1):
        with suppress(Unavailable):  # A busy machine may break a handshake off.
            return serving.states()
    raise AssertionError


def test_a_promotion_reaches_both_servers_in_one_revision(
    champion: Settings, bus: KafkaBus
) -> None:
    version = released(champion, "b")
    before = control.read(bus, champion.model)
    chexnet(champion, "promote", str(version), "--force", "--reason", "tests")
    after = control.read(bus, champion.model)
    assert (after.champion, after.previous) == (version, before.champion)
    assert after.revision == before.revision + 1
    states = _states(champion)
    assert len(states) == len(SERVERS)
    for replica, versions in states.items():
        assert {versions[v] for v in (version, before.champion)} == {"AVAILABLE"}, replica
