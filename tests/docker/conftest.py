"""The platform as containers, on a real engine; the suites of the local runtime run on it too."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import DockerException
from docker.models.containers import Container

from chexnet.settings import Settings
from tests.commands import settings_of
from tests.playbooks import ROOT, Site, temporary_site

IN_CI = bool(os.environ.get("CI"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test here: `make test` leaves them to `make test-docker`."""
    for item in items:
        if "tests/docker/" in item.path.as_posix():
            item.add_marker(pytest.mark.docker)
            item.add_marker(pytest.mark.timeout(1200))


@pytest.fixture(scope="session")
def engine() -> docker.DockerClient:
    """An engine, which CI installs; elsewhere tests are skipped where none answers."""
    if IN_CI:
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        given = ["-i", "inventory/docker", "-e", "docker_host_base=debian:bookworm-slim"]
        subprocess.run([program, "playbooks/docker_host.yml", *given], cwd=ROOT, check=True)
    try:
        client = docker.from_env()
        client.ping()
    except DockerException as error:
        if IN_CI:
            raise
        pytest.skip(f"no Docker engine answers: {error}. Start one, or set DOCKER_HOST")
    return client


@pytest.fixture(scope="session")
def site(engine: docker.DockerClient) -> Iterator[Site]:
    """The platform in containers, with both pipelines; at the end nothing of it is left."""
    variables: dict[str, Any] = {
        "image_source": "build",
        "security": True,
        "stack_project": "chexnet-test",
        "stack_network": "chexnet-test",
        "services_plugins": [str(ROOT / "tests/waveform")],
        # Models of seconds answer with noise, for which a guardian would rightly end experiments.
        "services_guardrails": {"images": 10_000},
    }
    with temporary_site("xray", "waveform", inventory="inventory/docker", **variables) as made:
        made.up()
        yield made
    name = variables["stack_project"]
    left = [
        str(found.name) for found in (*engine.containers.list(all=True), *engine.networks.list())
    ]
    assert [found for found in left if found.startswith(name)] == []
    assert engine.images.list(filters={"label": f"chexnet.project={name}"}) == []


@pytest.fixture(scope="session")
def stack(site: Site) -> Settings:
    """Its settings, as a person on the host has them; they take the place of the local stack's."""
    return settings_of(site.state / "xray.env")


@pytest.fixture
def containers(engine: docker.DockerClient, site: Site) -> dict[str, Container]:
    """The containers of the platform, by the name of their compose service."""
    label = "com.docker.compose.project"
    found = engine.containers.list(filters={"label": label})
    own = [c for c in found if c.labels[label].startswith(site.variables["stack_project"])]
    return {c.labels["com.docker.compose.service"]: c for c in own}
