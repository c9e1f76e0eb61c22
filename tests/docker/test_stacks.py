"""What site.yml promises of containers, seen on the engine."""

from __future__ import annotations

import docker
import pytest
from docker.models.containers import Container

from tests.playbooks import Site

ROOT_ONLY = 250 * 10**6  # Bytes of an image whose services only call others.
SERVICES = ("gateway", "preprocess", "router", "shadow", "archiver-raw", "reconciler")


def test_a_second_run_changes_nothing(site: Site) -> None:
    outcome = site.play("site")
    assert outcome.code == 0, outcome.output
    assert outcome.changed == []


def test_a_check_of_a_running_platform_finds_nothing_to_change(site: Site) -> None:
    outcome = site.play("site", "--check")
    assert outcome.code == 0, outcome.output
    assert outcome.changed == []


def test_a_changed_variable_restarts_only_what_reads_it(
    site: Site, containers: dict[str, Container]
) -> None:
    before = {name: c.id for name, c in containers.items()}
    try:
        outcome = site.play("site", "--tags", "tensorboard", tensorboard_reload=7)
        assert outcome.code == 0, outcome.output
        client = containers["kafka"].client
        left = {c.id for c in client.containers.list()}
        assert [name for name, number in before.items() if number not in left] == ["tensorboard"]
    finally:
        site.play("site", "--tags", "tensorboard")


def test_a_container_has_no_privilege_no_writable_root_and_limits(
    containers: dict[str, Container],
) -> None:
    assert len(containers) > 20
    for name, container in containers.items():
        host = container.attrs["HostConfig"]
        assert host["CapDrop"] == ["ALL"], name
        assert host["ReadonlyRootfs"], name
        assert host["SecurityOpt"] == ["no-new-privileges:true"], name
        assert host["Memory"] > 0, name
        assert host["NanoCpus"] > 0, name
        assert host["RestartPolicy"]["Name"] == "unless-stopped", name
        assert host["LogConfig"]["Config"]["max-size"] == "10m", name
        assert container.attrs["Config"]["User"].split(":")[0] not in {"", "0", "root"}, name
        addresses = [p["HostIp"] for ports in host["PortBindings"].values() for p in ports]
        assert set(addresses) <= {"127.0.0.1"}, name


@pytest.mark.parametrize("service", SERVICES)
def test_what_only_calls_others_is_small_and_maps_no_tensorflow(
    service: str, containers: dict[str, Container]
) -> None:
    container = containers[f"xray-{service}"]
    assert container.image is not None
    assert container.image.attrs["Size"] < ROOT_ONLY
    maps = "cat /proc/[0-9]*/maps"
    code, mapped = container.exec_run(["bash", "-c", maps])
    assert code == 0, mapped
    assert b"grpc" in mapped  # What it does map is seen.
    assert b"tensorflow" not in mapped


def test_no_secret_is_in_an_environment_a_command_or_a_log(
    site: Site, containers: dict[str, Container]
) -> None:
    kinds = {".token", ".key", ".password"}
    files = [p for p in (site.state / "secrets").rglob("*") if p.suffix in kinds]
    secrets = [max(p.read_text().splitlines(), key=len) for p in files]  # Of a PEM, its body.
    assert len(secrets) >= 6
    for name, container in containers.items():
        told = str(container.attrs) + container.logs().decode(errors="replace")
        assert not [s for s in secrets if s in told], name


def test_status_shows_every_container(site: Site, containers: dict[str, Container]) -> None:
    outcome = site.play("status")
    assert outcome.code == 0, outcome.output
    assert not [c.name for c in containers.values() if str(c.name) not in outcome.output]


def test_destroy_keeps_data_and_purge_leaves_nothing(
    engine: docker.DockerClient, site: Site
) -> None:
    own = Site(
        site.state.parent / "own" / "state",
        {**site.variables, "stack_project": "chexnet-own", "stack_network": "chexnet-own"}
        | {"kafka_port": site.variables["kafka_port"] - 100},
        site.inventory,
    )
    outcome = own.play("site", "--tags", "kafka")
    assert outcome.code == 0, outcome.output
    identity = (own.state / "kafka/data/meta.properties").read_text()

    def there() -> list[str]:
        found = [str(c.name) for c in engine.containers.list(all=True)]
        found += [str(n.name) for n in engine.networks.list()]
        return [name for name in found if name.startswith("chexnet-own")]

    assert sorted(there()) == ["chexnet-own", "chexnet-own-kafka-kafka-1"]
    assert own.play("destroy").code == 0
    assert there() == ["chexnet-own"]  # The network, which other stacks may use.
    assert own.play("site", "--tags", "kafka").code == 0  # It starts again on what it kept.
    assert (own.state / "kafka/data/meta.properties").read_text() == identity
    assert own.play("destroy", purge=True).code == 0
    assert there() == []
    assert not own.state.exists()
