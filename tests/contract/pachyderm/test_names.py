"""Projects, repos and what is wrong with their names."""

from __future__ import annotations

import uuid

import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs

from tests.contract.conftest import PACHD, make_repo
from tests.contract.pachyderm.calls import (
    EXISTS,
    NOT_EMPTY,
    NOT_FOUND,
    UNIMPLEMENTED,
    UNKNOWN,
    master,
    put,
    refused,
)


def test_the_server_says_what_it_is(client: Client) -> None:
    assert client.get_version().major == 2
    assert len(client.admin.inspect_cluster().id) >= 32
    assert "default" in {info.project.name for info in client.pfs.list_project()}


def test_a_project_is_made_once_and_described(client: Client, project: pfs.Project) -> None:
    with refused(EXISTS, f"project {project.name} already exists"):
        client.pfs.create_project(project=project)
    client.pfs.create_project(project=project, description="films", update=True)
    assert client.pfs.inspect_project(project=project).description == "films"


def test_a_project_with_repos_is_deleted_by_force_only(client: Client, address: str) -> None:
    project = pfs.Project(name=f"test-{uuid.uuid4().hex[:12]}")
    client.pfs.create_project(project=project)
    make_repo(client, project, "in")
    with refused(NOT_EMPTY):
        client.pfs.delete_project(project=project)
    if address == PACHD:  # Its database refuses that by force too (2.11.6).
        client.pfs.delete_repos(projects=[project])
    client.pfs.delete_project(project=project, force=True)
    assert not client.pfs.project_exists(project)


def test_what_is_missing_is_not_found_by_name(client: Client, project: pfs.Project) -> None:
    nope = pfs.Repo(name="nope", type="user", project=project)
    with refused(NOT_FOUND, f"repo {project.name}/nope not found"):
        client.pfs.inspect_repo(repo=nope)
    with refused(NOT_FOUND, f"repo {project.name}/nope not found"):
        client.pfs.start_commit(branch=master(nope))
    with refused(NOT_FOUND):
        client.pfs.inspect_project(project=pfs.Project(name="nope"))
    with refused(NOT_FOUND):
        client.pfs.create_repo(repo=pfs.Repo(name="in", project=pfs.Project(name="nope")))
    client.pfs.delete_repo(repo=nope)  # No error, as measured.


@pytest.mark.parametrize("name", ["a b", "a/b", "", "ä", "a.b"])
def test_a_name_has_letters_digits_dashes_and_underscores(
    client: Client, project: pfs.Project, name: str
) -> None:
    with refused(UNKNOWN):
        client.pfs.create_repo(repo=pfs.Repo(name=name, project=project))


def test_a_repo_is_made_once_listed_and_deleted(client: Client, repo: pfs.Repo) -> None:
    with refused(EXISTS, f"repo {repo.project.name}/in already exists"):
        client.pfs.create_repo(repo=repo)
    client.pfs.create_repo(repo=repo, description="films", update=True)
    [info] = client.pfs.list_repo(projects=[repo.project])
    assert (info.repo.name, info.description) == ("in", "films")
    put(client, repo, a=b"12345")
    assert client.pfs.inspect_repo(repo=repo).details.size_bytes == 5
    client.pfs.delete_repo(repo=repo)
    assert not client.pfs.repo_exists(repo)


def test_repos_of_one_project_are_deleted_together(client: Client, repo: pfs.Repo) -> None:
    out = make_repo(client, repo.project, "out")
    client.pfs.create_branch(branch=master(out), provenance=[master(repo)])
    with refused(UNKNOWN, "cannot be deleted because it's in the direct provenance of"):
        client.pfs.delete_repo(repo=repo)
    client.pfs.delete_repos(projects=[repo.project])
    assert list(client.pfs.list_repo(projects=[repo.project])) == []


def test_what_is_not_part_of_the_store_says_so(version_store) -> None:
    client = Client.from_pachd_address(version_store.address)
    with refused(UNIMPLEMENTED, "is not part of this version store"):
        client.pfs.delete_all()
    with refused(UNIMPLEMENTED, "is not part of this version store"):
        list(client.pfs.list_task())


def test_put_from_a_url_is_unimplemented(version_store) -> None:
    client = Client.from_pachd_address(version_store.address)
    repo = pfs.Repo(name="from-a-url", project=pfs.Project(name="default"))
    client.pfs.create_repo(repo=repo)
    commit = client.pfs.start_commit(branch=master(repo))
    with refused(UNIMPLEMENTED, "Putting a file from a URL"):
        client.pfs.put_file_from_url(commit=commit, path="/a", url="https://example.org/")
