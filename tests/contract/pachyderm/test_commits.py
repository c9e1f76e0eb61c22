"""The life of a commit."""

from __future__ import annotations

import re
import threading

import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs

from tests.contract.pachyderm.calls import (
    NOT_FOUND,
    UNKNOWN,
    at,
    file,
    head,
    master,
    put,
    read,
    refused,
)


def test_a_commit_goes_from_started_to_finished(client: Client, repo: pfs.Repo) -> None:
    commit = client.pfs.start_commit(branch=master(repo), description="films")
    assert re.fullmatch("[0-9a-f]{32}", commit.id)
    info = client.pfs.inspect_commit(commit=commit)
    assert info.started.year > 1970
    assert (info.finishing.year, info.finished.year) == (1970, 1970)
    assert info.origin.kind == pfs.OriginKind.USER
    client.pfs.finish_commit(commit=commit)
    info = client.pfs.wait_commit(commit)
    assert info.finished >= info.finishing >= info.started
    assert (info.description, info.error) == ("films", "")


def test_an_open_commit_can_be_read(client: Client, repo: pfs.Repo) -> None:
    put(client, repo, old=b"old")
    commit = client.pfs.start_commit(branch=master(repo))
    client.pfs.put_file_from_bytes(commit=commit, path="/new", data=b"new")
    assert read(client, file(repo, "/new", commit.id)) == b"new"
    assert read(client, file(repo, "/old", commit.id)) == b"old"


def test_a_finished_commit_takes_nothing_more(client: Client, repo: pfs.Repo) -> None:
    commit = put(client, repo, a=b"a")
    with refused(UNKNOWN, f"{commit.id} has already finished"):
        client.pfs.finish_commit(commit=commit)
    with refused(UNKNOWN, f"{commit.id} has already finished"):
        client.pfs.put_file_from_bytes(commit=at(repo, commit.id), path="/b", data=b"b")
    with refused(UNKNOWN, "cannot clear finished commit"):
        client.pfs.clear_commit(commit=commit)


def test_a_branch_has_one_open_commit(client: Client, repo: pfs.Repo) -> None:
    client.pfs.start_commit(branch=master(repo))
    with refused(UNKNOWN, "has not been finished"):
        client.pfs.start_commit(branch=master(repo))


def test_clearing_takes_back_what_the_open_commit_wrote(client: Client, repo: pfs.Repo) -> None:
    put(client, repo, old=b"old")
    commit = client.pfs.start_commit(branch=master(repo))
    client.pfs.put_file_from_bytes(commit=commit, path="/new", data=b"new")
    client.pfs.delete_file(commit=commit, path="/old")
    client.pfs.clear_commit(commit=commit)
    assert [i.file.path for i in client.pfs.walk_file(file=file(repo, "/", commit.id))] == [
        "/",
        "/old",
    ]


def test_finished_with_an_error_it_is_finished_at_once(client: Client, repo: pfs.Repo) -> None:
    commit = client.pfs.start_commit(branch=master(repo))
    client.pfs.finish_commit(commit=commit, error="the disk was full")
    assert client.pfs.wait_commit(commit).error == "the disk was full"


def test_a_path_that_is_file_and_directory_is_the_commits_error(
    client: Client, repo: pfs.Repo
) -> None:
    for first, second in (("/a", "/a/b"), ("/c/d/e", "/c")):
        with client.pfs.commit(branch=master(repo)) as commit:
            commit.put_file_from_bytes(path=first, data=b"1", append=True)
            commit.put_file_from_bytes(path=second, data=b"2", append=True)
        assert client.pfs.wait_commit(commit).error


def test_commits_are_named_by_id_branch_and_ancestry(client: Client, repo: pfs.Repo) -> None:
    ids = [put(client, repo, a=str(n).encode()).id for n in range(4)]

    def found(reference: str) -> str:
        return client.pfs.inspect_commit(commit=at(repo, reference)).commit.id

    assert found("master") == ids[3]
    assert found("master^") == found("master^1") == found(f"{ids[3]}^") == ids[2]
    assert found("master^2") == found("master^^") == ids[1]
    assert found("master.1") == ids[0]
    for reference in ("master^9", "master.9", "0" * 32, "nope"):
        with refused(NOT_FOUND):
            found(reference)


def test_listing_goes_back_in_time(client: Client, repo: pfs.Repo) -> None:
    ids = [put(client, repo, a=str(n).encode()).id for n in range(4)]

    def listed(**how) -> list[str]:
        return [info.commit.id for info in client.pfs.list_commit(repo=repo, **how)]

    assert listed() == ids[::-1]
    assert listed(reverse=True) == ids
    assert listed(number=2) == ids[:1:-1]
    assert listed(to=at(repo, ids[2])) == ids[2::-1]
    assert listed(to=at(repo), from_=at(repo, ids[1])) == [ids[3], ids[2]]
    with refused(UNKNOWN, "cannot use `from` commit without `to` commit"):
        listed(from_=at(repo, ids[1]))


def test_a_commit_can_be_waited_for(client: Client, repo: pfs.Repo) -> None:
    commit = client.pfs.start_commit(branch=master(repo))
    found: list[pfs.CommitInfo] = []
    waiting = threading.Thread(target=lambda: found.append(client.pfs.wait_commit(commit)))
    waiting.start()
    client.pfs.finish_commit(commit=commit)
    waiting.join(20)
    assert found[0].finished.year > 1970


def test_a_subscription_brings_old_and_new_commits_in_order(client: Client, repo: pfs.Repo) -> None:
    first = put(client, repo, a=b"1")
    coming = client.pfs.subscribe_commit(repo=repo, branch="master", state=pfs.CommitState.FINISHED)
    assert next(coming).commit.id == first.id
    second = put(client, repo, a=b"2")
    assert next(coming).commit.id == second.id
    later = client.pfs.subscribe_commit(repo=repo, branch="master", from_=at(repo, first.id))
    assert next(later).commit.id == second.id


def test_a_squashed_commits_files_stay_in_its_children(client: Client, repo: pfs.Repo) -> None:
    first = put(client, repo, a=b"1", b=b"1", c=b"1")
    middle = put(client, repo, a=b"2", d=b"2")
    last = put(client, repo, b=b"3")
    client.pfs.squash_commit_set(commit_set=pfs.CommitSet(id=middle.id))
    listed = [info.commit.id for info in client.pfs.list_commit(repo=repo)]
    assert listed == [last.id, first.id]
    assert {p: read(client, file(repo, p)) for p in ("/a", "/b", "/c", "/d")} == {
        "/a": b"2",
        "/b": b"3",
        "/c": b"1",
        "/d": b"2",
    }
    changed = {d.new_file.file.path for d in client.pfs.diff_file(new_file=file(repo, "/"))}
    assert changed == {"/", "/a", "/b", "/d"}
    with refused(UNKNOWN, "cannot squash a commit that has no children"):
        client.pfs.squash_commit_set(commit_set=pfs.CommitSet(id=last.id))


def test_a_dropped_commit_takes_its_files_along(client: Client, repo: pfs.Repo) -> None:
    first = put(client, repo, a=b"1")
    second = put(client, repo, a=b"2")
    with refused(UNKNOWN, "cannot drop a commit that has children"):
        client.pfs.drop_commit_set(commit_set=pfs.CommitSet(id=first.id))
    client.pfs.drop_commit_set(commit_set=pfs.CommitSet(id=second.id))
    assert head(client, repo).commit.id == first.id
    assert read(client, file(repo, "/a")) == b"1"
    client.pfs.drop_commit_set(commit_set=pfs.CommitSet(id=first.id))
    assert head(client, repo).size_bytes_upper_bound == 0  # A new, empty first commit.


def test_sizes_follow_replacing_and_deleting(client: Client, repo: pfs.Repo) -> None:
    put(client, repo, a=bytes(10), b=bytes(20))
    assert head(client, repo).details.size_bytes == 30
    put(client, repo, a=bytes(1))
    assert head(client, repo).details.size_bytes == 21
    with client.pfs.commit(branch=master(repo)) as commit:
        commit.delete_file(path="/b")
    commit.wait()
    assert head(client, repo).details.size_bytes == 1


@pytest.mark.parametrize("count", [70])
def test_many_commits_keep_every_version(client: Client, repo: pfs.Repo, count: int) -> None:
    commits = [put(client, repo, **{f"f{n}": b"%d" % n, "last": b"%d" % n}) for n in range(count)]
    for n in (0, 1, 7, 8, 9, 63, 64, 65, count - 1):
        paths = {i.file.path for i in client.pfs.list_file(file=file(repo, "/", commits[n].id))}
        assert paths == {f"/f{m}" for m in range(n + 1)} | {"/last"}
        assert read(client, file(repo, "/last", commits[n].id)) == b"%d" % n
