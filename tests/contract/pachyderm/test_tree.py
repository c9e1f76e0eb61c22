"""The tree of files, against dictionaries: any commits, in any order, read back as they were."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from pachyderm_sdk.api import pfs

from services.version_store import (
    blobs,
    branches,
    commit_sets,
    commits,
    reading,
    repos,
    wire,
    writing,
)
from services.version_store.errors import StoreError
from services.version_store.listing import View
from services.version_store.store import Store

REPO = pfs.Repo.from_uri("default/in")
MASTER = pfs.Branch(repo=REPO, name="master")
FILES = some.sampled_from(["/a/x", "/a/y", "/a/b/z", "/a-b", "/c", "/d/e/f/g"])
FOLDERS = some.sampled_from(["/", "/a/", "/a/b/", "/d/e/", "/nope/", "/c/"])
BYTES = some.integers(0, 3 * 7).map(lambda n: bytes(range(n)))


def deletes(path: str, file_: str) -> bool:
    return file_.startswith(path) if path.endswith("/") else file_ == path


class Trees(RuleBasedStateMachine):
    """One branch of a real store, and what each of its commits must hold."""

    finished = Bundle("finished")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.whole, blobs.CHUNK, writing.CHUNK = blobs.CHUNK, 7, 7  # Many chunks in few bytes.
        self.store = Store(self.folder, branches.propagate)
        with self.store.change() as change:
            repos.create(change, pfs.CreateRepoRequest(repo=REPO))
        self.expected: dict[str, dict[str, bytes]] = {}
        self.order: list[str] = []

    def teardown(self) -> None:
        self.store.close()
        blobs.CHUNK = writing.CHUNK = self.whole
        shutil.rmtree(self.folder)

    @rule(
        target=finished,
        steps=some.lists(
            some.tuples(some.sampled_from(["put", "append"]), FILES, BYTES)
            | some.tuples(some.just("delete"), FILES | FOLDERS, some.just(b"")),
            max_size=6,
        ),
    )
    def commit(self, steps: list[tuple[str, str, bytes]]) -> str:
        with self.store.change() as change:
            made = branches.start_commit(change, pfs.StartCommitRequest(branch=MASTER))
        tree = dict(self.expected[self.order[-1]]) if self.order else {}
        requests: list[wire.ModifyRequest] = [pfs.ModifyFileRequest(set_commit=made)]
        for kind, path, data in steps:
            if kind != "append":
                requests.append(wire.Deletion(path))
                tree = {p: d for p, d in tree.items() if not deletes(path, p)}
            if kind != "delete":
                requests.append(wire.Piece(path, data))
                tree[path] = tree.get(path, b"") + data
        writing.modify(self.store, iter(requests), lambda: True)
        with self.store.change() as change:
            commits.finish_named(change, pfs.FinishCommitRequest(commit=made))
        self.expected[made.id] = tree
        self.order.append(made.id)
        return str(made.id)

    @rule(commit=finished)
    def squash(self, commit: str) -> None:
        request = pfs.SquashCommitSetRequest(commit_set=pfs.CommitSet(id=commit))
        can = commit in self.order[:-1]
        try:
            with self.store.change() as change:
                commit_sets.squash_set(change, request)
        except StoreError:
            assert not can
        else:
            assert can
            self.order.remove(commit)

    @rule()
    def drop(self) -> None:
        if len(self.order) > 1:
            request = pfs.DropCommitSetRequest(commit_set=pfs.CommitSet(id=self.order.pop()))
            with self.store.change() as change:
                commit_sets.drop_set(change, request)

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = Store(self.folder, branches.propagate)

    @invariant()
    def every_commit_holds_what_it_did(self) -> None:
        with self.store.database.read() as sql:
            for name in self.order:
                view = View(sql, pfs.Commit(repo=REPO, id=name))
                held = {
                    node.path: b"".join(self.store.blobs.stream(sql, node.chunks))
                    for node in view.walk("/")
                    if node.chunks is not None
                }
                assert held == self.expected[name]
                assert view.row["size"] == sum(map(len, held.values()))

    @invariant()
    def a_diff_is_the_difference_of_two_neighbours(self) -> None:
        if len(self.order) < 2:
            return
        then, now = (self.expected[name] for name in self.order[-2:])
        commit = pfs.Commit(repo=REPO, id=self.order[-1])
        request = pfs.DiffFileRequest(new_file=pfs.File(commit=commit, path="/"))
        with self.store.database.read() as sql:
            found = {
                (d.new_file if d.new_file.file.path else d.old_file).file.path
                for d in reading.diff(sql, request)
            }
        changed = {p for p in then.keys() | now.keys() if then.get(p) != now.get(p)}
        assert {p for p in found if not p.endswith("/")} == changed


Trees.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestTrees = Trees.TestCase
