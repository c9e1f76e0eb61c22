"""Version stores for the contract suites: our own server, and any pachd that is named."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs

from tests.contract.pachyderm.server import Server
from tests.contract.working import Site

PACHD = os.environ.get("CHEXNET_TEST_PACHD")
TARGETS = ["version_store", pytest.param("pachd", marks=pytest.mark.real)]


@pytest.fixture(scope="module")
def version_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A services/version_store, started for this module."""
    server = Server(tmp_path_factory.mktemp("store") / "folder")
    yield server
    assert server.stop() == 0


@pytest.fixture(params=TARGETS)
def address(request: pytest.FixtureRequest) -> str:
    """The address of what speaks Pachyderm's API."""
    if request.param == "version_store":
        return str(request.getfixturevalue("version_store").address)
    if PACHD is None:
        pytest.skip("no pachd: set CHEXNET_TEST_PACHD to its host:port")
    return PACHD


@pytest.fixture
def client(address: str) -> Client:
    """The unmodified SDK's client."""
    return Client.from_pachd_address(address)


@pytest.fixture
def project(client: Client) -> Iterator[pfs.Project]:
    """A project of this test's own."""
    made = pfs.Project(name=f"test-{uuid.uuid4().hex[:12]}")
    client.pfs.create_project(project=made)
    yield made
    client.pps.delete_pipelines(projects=[made])  # pachd deletes no project that has them.
    client.pfs.delete_repos(projects=[made])
    client.pfs.delete_project(project=made)


@pytest.fixture
def repo(client: Client, project: pfs.Project) -> pfs.Repo:
    """A repo of this test's own."""
    return make_repo(client, project, "in")


def make_repo(client: Client, project: pfs.Project, name: str) -> pfs.Repo:
    repo = pfs.Repo(name=name, type="user", project=project)
    client.pfs.create_repo(repo=repo)
    return repo


@pytest.fixture
def site(address: str, project: pfs.Project, tmp_path: Path) -> Iterator[Site]:
    """A project with a repo `in` and a worker, which must end well."""
    made = Site(address, project.name, tmp_path)
    yield made
    assert made.runner.stop() == 0
