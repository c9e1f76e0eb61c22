"""What the version store frees, when, and what it says of it meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pachyderm_sdk.api import pfs

from services.version_store import branches, commit_sets, commits, holes, references, repos, trees
from services.version_store.blobs import CHUNK, content
from services.version_store.store import Change, Store

REPO = pfs.Repo(name="runners", type="user", project=pfs.Project(name="default"))
BRANCH = pfs.Branch(repo=REPO, name="images")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path, lambda _: None)
    with made.change() as change:
        repos.create(change, pfs.CreateRepoRequest(repo=REPO))
    yield made
    made.close()


def commit(store: Store, data: bytes) -> str:
    with store.blobs.stage() as stage, store.database.read() as sql:
        name = stage.add(sql, data)
        stage.sync()
        with store.change() as change:
            made = branches.start_commit(change, pfs.StartCommitRequest(branch=BRANCH))
            row = references.commit(change.sql, made)
            trees.put(change.sql, row["diff"], {"/beat": content(len(data), name)})
            stage.record(change.sql)
            commits.finish(change, row["key"])
    return str(made.id)


def dropped(store: Store, commit: str) -> Change:
    with store.change(keep=False) as change:
        asked = pfs.DropCommitSetRequest(commit_set=pfs.CommitSet(id=commit))
        commit_sets.drop_set(change, asked)
    return change


@pytest.mark.parametrize(("size", "garbage"), [(1, False), (CHUNK, True)])
def test_what_leaves_history_is_collected_if_it_is_worth_it(
    store: Store, size: int, *, garbage: bool
) -> None:
    commit(store, b"first")
    assert dropped(store, commit(store, os.urandom(size))).garbage == garbage


def test_a_collection_by_itself_does_not_wait_for_a_reader(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    store.database._writer.set_trace_callback(asked.append)
    with store.database.read() as sql:
        sql.execute("SELECT COUNT(*) FROM commits").fetchone()
        store.blobs.collect()
    assert [text for text in asked if "checkpoint" in text] == ["PRAGMA wal_checkpoint(PASSIVE)"]


def test_a_chunk_that_is_freed_while_it_is_read_is_no_zeros(store: Store) -> None:
    commit(store, bytes(1000))  # Zeros that are meant.
    commit(store, b"x" * 1000)
    with store.database.read() as sql:
        names = [row["hash"] for row in sql.execute("SELECT hash FROM chunks ORDER BY start")]
        assert store.blobs.read(sql, names[0]) == bytes(1000)
        place = store.blobs.place(sql, names[1])
        assert place is not None
        holes.punch(store.blobs._open(place.pack), place.start, place.size)
        with pytest.raises(OSError, match="freed while it was read"):
            store.blobs.read(sql, names[1])
