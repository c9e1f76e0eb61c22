"""What a kill -9 leaves: finished commits whole, an open one as it was."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs

from tests.contract.pachyderm.calls import at, file, master, put, read
from tests.contract.pachyderm.server import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "folder")
    yield made
    made.stop()


def connected(server: Server) -> tuple[Client, pfs.Repo]:
    client = Client.from_pachd_address(server.address)
    repo = pfs.Repo.from_uri("default/in")
    if not client.pfs.repo_exists(repo):
        client.pfs.create_repo(repo=repo)
    return client, repo


def test_kill_9_leaves_finished_commits_and_an_open_one_can_go_on(server: Server) -> None:
    client, repo = connected(server)
    data = os.urandom(3 * 2**20)
    done = put(client, repo, film=data)
    left = client.pfs.start_commit(branch=master(repo))
    client.pfs.put_file_from_bytes(commit=left, path="/before", data=b"before")
    server.kill()
    server.start()
    client, repo = connected(server)
    assert read(client, file(repo, "/film", done.id)) == data
    client.pfs.put_file_from_bytes(commit=left, path="/after", data=b"after")
    client.pfs.finish_commit(commit=left)
    assert client.pfs.wait_commit(left).error == ""
    assert [i.file.path for i in client.pfs.list_file(file=file(repo, "/"))] == [
        "/after",
        "/before",
        "/film",
    ]
    assert list(client.pfs.fsck()) == []


def test_kill_9_in_the_middle_of_a_stream_leaves_nothing_of_it(server: Server) -> None:
    client, repo = connected(server)
    commit = client.pfs.start_commit(branch=master(repo))
    under_way = threading.Event()

    def endless() -> Iterator[pfs.ModifyFileRequest]:
        yield pfs.ModifyFileRequest(set_commit=commit)
        for n in range(10**6):
            piece = pfs.AddFile(path=f"/{n}", raw=os.urandom(2**20))
            yield pfs.ModifyFileRequest(add_file=piece)
            if n == 20:
                under_way.set()

    def write() -> None:
        with pytest.raises(Exception, match=r"."):
            client.pfs.modify_file(endless())

    writing = threading.Thread(target=write)
    writing.start()
    assert under_way.wait(60)
    server.kill()
    writing.join(60)
    server.start()
    client, repo = connected(server)
    assert list(client.pfs.list_file(file=file(repo, "/", commit.id))) == []
    client.pfs.finish_commit(commit=commit)
    assert put(client, repo, a=b"a").id == client.pfs.inspect_commit(commit=at(repo)).commit.id
    assert list(client.pfs.fsck()) == []


def test_a_damaged_chunk_is_found_by_fsck(server: Server, tmp_path: Path) -> None:
    client, repo = connected(server)
    put(client, repo, film=b"the film's own bytes")
    [pack] = (tmp_path / "folder" / "packs").iterdir()
    pack.write_bytes(pack.read_bytes().replace(b"own", b"0wn"))
    [fault] = client.pfs.fsck()
    assert "/film" in fault.error


def test_two_servers_cannot_share_a_folder(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Expecting value"):  # Its error is no JSON line.
        Server(tmp_path / "folder")


def peak_megabytes(server: Server) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if "VmHWM" in line)


@pytest.mark.slow
def test_200_megabytes_stream_in_constant_memory(server: Server, tmp_path: Path) -> None:
    client, repo = connected(server)
    small, large = tmp_path / "small", tmp_path / "large"
    for path, size in ((small, 40), (large, 200)):
        with path.open("wb") as made:
            for _ in range(size):
                made.write(os.urandom(2**20))

    def through(source: Path) -> float:
        with client.pfs.commit(branch=master(repo)) as commit, source.open("rb") as data:
            commit.put_file_from_file(path="/film", file=data)
        got = client.pfs.get_file(file=file(repo, "/film"))
        assert sum(len(piece.value) for piece in got) == source.stat().st_size
        return peak_megabytes(server)

    before = through(small)  # Evaluated first: the peak only grows.
    assert through(large) < before + 80  # Buffers of 20 MiB messages, not the file.
