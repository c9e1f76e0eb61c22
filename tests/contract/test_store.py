"""What a Store does, in memory and in Pachyderm; each test is a way in which they could differ."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid

import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs

from chexnet.adapters.memory import MemoryStore
from chexnet.adapters.pachyderm import PachydermStore
from chexnet.errors import NotFound, Refused, Unavailable
from chexnet.steps.ports import Store

FILM = "/data/20261123/film.png"
PACHD = os.environ.get("CHEXNET_TEST_PACHD")


@pytest.fixture
def memory_store() -> Store:
    return MemoryStore()


@pytest.fixture
def version_store_store(version_store) -> Store:
    return PachydermStore(version_store.address, f"test-{uuid.uuid4().hex[:12]}")


@pytest.fixture
def pachd_store() -> Store:
    if PACHD is None:
        pytest.skip("no pachd: set CHEXNET_TEST_PACHD to its host:port")
    return PachydermStore(PACHD, f"test-{uuid.uuid4().hex[:12]}")


@pytest.fixture(params=["memory", "version_store", pytest.param("pachd", marks=pytest.mark.real)])
def store(request: pytest.FixtureRequest) -> Store:
    made: Store = request.getfixturevalue(f"{request.param}_store")
    made.ensure("raw")
    return made


def test_a_commit_holds_files_and_their_offsets(store: Store) -> None:
    store.write("raw", {FILM: b"film"}, {("xray.uploads", 0): 7})
    assert store.read("raw", FILM) == b"film"
    assert store.offsets("raw") == {("xray.uploads", 0): 7}


def test_an_empty_repo_has_no_head_no_files_and_no_offsets(store: Store) -> None:
    assert store.head("raw") is None
    assert store.list("raw") == []
    assert store.offsets("raw") == {}
    assert list(store.fetch("raw")) == []


def test_to_ensure_a_repo_again_changes_nothing(store: Store) -> None:
    commit = store.write("raw", {FILM: b"film"})
    store.ensure("raw")
    assert store.head("raw") == commit


@pytest.mark.parametrize("second", [b"", b"new", bytes(32 * 2**20)], ids=len)
def test_writing_a_path_again_replaces_it(store: Store, second: bytes) -> None:
    store.write("raw", {FILM: b"old"}, {})
    store.write("raw", {FILM: second}, {})
    assert store.read("raw", FILM) == second


def test_a_commit_keeps_what_it_does_not_name(store: Store) -> None:
    store.write("raw", {"/data/a": b"a"}, {("uploads", 0): 1})
    store.write("raw", {"/data/b": b"b"}, {("uploads", 1): 5})
    assert store.list("raw", "/data") == ["/data/a", "/data/b"]
    assert store.offsets("raw") == {("uploads", 0): 1, ("uploads", 1): 5}


def test_an_older_commit_still_reads_as_it_was(store: Store) -> None:
    first = store.write("raw", {FILM: b"old"})
    second = store.write("raw", {FILM: b"new", "/more": b"x"})
    assert store.read("raw", FILM, first) == b"old"
    assert store.list("raw", commit=first) == [FILM]
    assert store.head("raw") == second


def test_commits_are_told_newest_first(store: Store) -> None:
    assert list(store.commits("raw")) == []
    made = [store.write("raw", {FILM: bytes(n)}) for n in range(3)]
    assert list(store.commits("raw")) == made[::-1]
    assert list(store.commits("nope")) == []


def test_removed_paths_are_gone_from_the_next_commit_only(store: Store) -> None:
    first = store.write("raw", {FILM: b"film", "/data/other": b"o"})
    store.write("raw", {}, remove=[FILM, "/never/there"])
    assert store.list("raw") == ["/data/other"]
    assert store.read("raw", FILM, first) == b"film"


def test_a_path_removed_and_written_in_one_commit_is_there(store: Store) -> None:
    store.write("raw", {FILM: b"old"})
    store.write("raw", {FILM: b"new"}, remove=[FILM])
    assert store.read("raw", FILM) == b"new"


def test_a_folder_is_not_the_beginning_of_a_name(store: Store) -> None:
    store.write("raw", {"/a/x": b"1", "/ab/x": b"2", "/a.b": b"3", "/a/y/z": b"4"})
    assert store.list("raw", "/a") == ["/a/x", "/a/y/z"]
    assert dict(store.fetch("raw", "/a")) == {"/a/x": b"1", "/a/y/z": b"4"}
    assert store.list("raw", "/nowhere") == []
    assert list(store.fetch("raw", "/nowhere")) == []


def test_files_are_found_by_globs_within_names(store: Store) -> None:
    paths = ["/data/1/u/a.im.png", "/data/1/u/b.im.png", "/data/1/v/a.png", "/data/im.png"]
    first = store.write("raw", dict.fromkeys(paths, b"x"))
    store.write("raw", {}, remove=paths[:1])
    assert store.glob("raw", "/data/*/*/*im.*") == paths[1:2]
    assert store.glob("raw", "/data/*/*/*im.*", first) == paths[:2]
    assert store.glob("raw", "/data/*/u") == []  # A folder is no file.
    assert store.glob("nope", "/*") == []


def test_one_file_can_be_listed_and_fetched_by_its_path(store: Store) -> None:
    store.write("raw", {"/a": b"1", "/b": b"2"})
    assert store.list("raw", "/a") == ["/a"]
    assert list(store.fetch("raw", "/a")) == [("/a", b"1")]


def test_fetch_gives_all_files_whatever_their_sizes_and_names(store: Store) -> None:
    long = "/data/" + "n" * 200 + "/film.png"
    files = {
        "/empty": b"",
        "/one": b"1",
        long: b"long",
        "/a b/~#$%&=,;:_-": b"odd",
        "/big": os.urandom(3 * 2**20),
    }
    store.write("raw", files)
    assert dict(store.fetch("raw")) == files


def test_what_is_missing_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        store.read("raw", FILM)
    store.write("raw", {FILM: b"film"})
    with pytest.raises(NotFound):
        store.read("raw", "/nope")
    with pytest.raises(NotFound):
        store.list("raw", commit="0" * 32)
    with pytest.raises(NotFound):
        store.write("never-made", {FILM: b"film"})


def test_an_open_head_is_cleared_and_used_again(
    version_store_store: PachydermStore, version_store
) -> None:
    store, client = version_store_store, Client.from_pachd_address(version_store.address)
    store.ensure("raw")
    before = store.write("raw", {FILM: b"film"}, {("uploads", 0): 1})
    repo = pfs.Repo(name="raw", type="user", project=pfs.Project(name=store._at.project.name))
    left = client.pfs.start_commit(branch=pfs.Branch(repo=repo, name="master"))
    client.pfs.put_file_from_bytes(commit=left, path="/half", data=b"half a batch")
    assert store.head("raw") == before
    assert store.write("raw", {"/whole": b"whole"}, {("uploads", 0): 2}) == left.id
    assert store.list("raw", "/") == ["/_bus/uploads/0", FILM, "/whole"]


def test_a_commit_with_an_error_is_no_head(version_store_store: PachydermStore) -> None:
    store = version_store_store
    store.ensure("raw")
    good = store.write("raw", {"/a": b"file"})
    with pytest.raises(Refused, match="a file or a directory"):
        store.write("raw", {"/a/b": b"file below a file"})
    assert store.head("raw") == good
    store.write("raw", {"/c": b"next"})
    assert store.list("raw") == ["/a", "/c"]


def test_a_server_that_is_down_is_unavailable_and_named() -> None:
    store = PachydermStore("127.0.0.1:1", "xray")
    for call in (lambda: store.ensure("raw"), lambda: store.head("raw")):
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1.*make up"):
            call()


def test_a_fresh_repo_is_written_without_a_word_on_stderr(version_store) -> None:
    code = f"""
from chexnet.adapters.pachyderm import PachydermStore
store = PachydermStore({version_store.address!r}, "quiet")
store.ensure("fresh")
store.write("fresh", {{"/a": b"1"}})
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)
    assert done.stderr == b""
