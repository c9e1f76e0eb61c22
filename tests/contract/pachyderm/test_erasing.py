"""Erasing takes a file out of all history and its bytes off the disk; the rest stays as it was."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pachyderm_sdk.api import pfs

from chexnet.adapters.pachyderm import PachydermStore
from chexnet.adapters.pachyderm.connection import Connection
from chexnet.adapters.pachyderm.erasing import Eraser
from tests.contract.pachyderm.server import Server


class Kept:
    """A version store of the test's own, and what lies on its disk."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.server = folder, Server(folder)
        self.at = Connection(self.server.address, "xray")
        self.store = PachydermStore(self.server.address, "xray")
        self.store.ensure("raw")

    def on_disk(self, data: bytes) -> bool:
        return any(data in file.read_bytes() for file in self.folder.rglob("*") if file.is_file())


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path / "store")
    yield made
    assert made.server.stop() == 0


def test_a_patient_leaves_all_commits_and_the_disk(kept: Kept) -> None:
    secret, other = os.urandom(50_000), os.urandom(50_000)
    first = kept.store.write("raw", {"/data/1/patient-7/a.png": secret, "/data/1/p2/b.png": other})
    second = kept.store.write("raw", {"/data/2/patient-7/c.png": secret + b"more"})
    assert kept.on_disk(secret)
    eraser = Eraser(kept.at)
    gone = eraser.erase("raw", ["/data/*/patient-7/*"])
    assert gone == ["/data/1/patient-7/a.png", "/data/2/patient-7/c.png"]
    assert eraser.collect() >= 0  # Its own thread may have been first.
    for commit in (first, second):
        assert kept.store.list("raw", "/", commit) == ["/data/1/p2/b.png"]
    assert kept.store.read("raw", "/data/1/p2/b.png", first) == other
    assert not kept.on_disk(secret)
    assert not kept.on_disk(b"patient-7")
    assert list(kept.at.client.pfs.fsck()) == []


def test_a_file_that_is_written_while_others_are_erased_is_whole(kept: Kept) -> None:
    kept.store.write("raw", {f"/data/{n}": os.urandom(9000) for n in range(50)})
    wanted = {f"/kept/{n}": os.urandom(20_000) for n in range(100)}
    begun = threading.Event()

    def erase() -> None:
        begun.wait()
        Eraser(kept.at).erase("raw", ["/data/*"])

    thread = threading.Thread(target=erase)
    thread.start()
    for n, (path, data) in enumerate(wanted.items()):
        kept.store.write("raw", {path: data})
        if n == 5:
            begun.set()
    thread.join()
    Eraser(kept.at).collect()
    assert dict(kept.store.fetch("raw")) == wanted
    assert list(kept.at.client.pfs.fsck()) == []


def test_only_contents_that_are_named_are_erased(kept: Kept) -> None:
    old = kept.store.write("raw", {"/table.csv": b"patient-7,1\n"})
    info = kept.at.client.pfs.inspect_file(
        file=pfs.File(commit=kept.at.commit("raw", old), path="/table.csv")
    )
    new = kept.store.write("raw", {"/table.csv": b"p2,1\n"})
    Eraser(kept.at).erase("raw", ["/table.csv"], hashes=[info.hash])
    assert kept.store.list("raw", "/", old) == []
    assert kept.store.read("raw", "/table.csv", new) == b"p2,1\n"


def test_what_an_erased_content_replaced_does_not_come_up_again(kept: Kept) -> None:
    for data in (b"p2,1\n", b"patient-7,1\n", b"p2,2\n"):
        kept.store.write("raw", {"/table.csv": data})
    old, middle, new = (v.commit for v in Eraser(kept.at).find("raw", ["/table.csv"]))
    (found,) = Eraser(kept.at).find("raw", ["/*"], holding="patient-7")
    assert found.commit == middle
    Eraser(kept.at).erase("raw", ["/table.csv"], hashes=[found.hash])
    assert kept.store.list("raw", "/", middle) == []
    assert kept.store.read("raw", "/table.csv", old) == b"p2,1\n"
    assert kept.store.read("raw", "/table.csv", new) == b"p2,2\n"


def test_files_are_erased_by_what_they_hold(kept: Kept) -> None:
    one = b"x" * (2**20 - 4) + b"patient-7"  # Over the border of two chunks.
    both = kept.store.write("raw", {"/a": one, "/b": b"patient-77", "/c": b"p2"})
    eraser = Eraser(kept.at)
    assert eraser.erase("raw", ["/*"], holding='patient-7"') == []
    assert eraser.erase("raw", ["/a", "/c"], holding="patient-7") == ["/a"]
    assert kept.store.list("raw", "/", both) == ["/b", "/c"]
    assert eraser.find("raw", ["/a"]) == []


def test_a_repo_that_is_not_there_holds_nobody(kept: Kept) -> None:
    assert Eraser(kept.at).erase("nope", ["/**"]) == []


def test_the_bytes_of_a_deleted_repo_are_freed(kept: Kept) -> None:
    secret = os.urandom(50_000)
    kept.store.write("raw", {"/a": secret})
    kept.at.client.pfs.delete_repo(repo=kept.at.repo("raw"), force=True)
    Eraser(kept.at).collect()
    assert not kept.on_disk(secret)


def test_bytes_that_a_kill_left_behind_are_freed_by_the_next_collection(kept: Kept) -> None:
    secret = os.urandom(50_000)
    kept.store.write("raw", {"/a": secret})
    Eraser(kept.at).erase("raw", ["/a"])
    kept.server.kill()
    kept.server.start()
    Eraser(kept.at).collect()
    assert not kept.on_disk(secret)
