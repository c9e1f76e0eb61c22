"""What lies in a commit: putting, getting, listing, comparing."""

from __future__ import annotations

import io
import os
import tarfile

import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs

from tests.contract.conftest import make_repo
from tests.contract.pachyderm.calls import (
    NOT_FOUND,
    UNKNOWN,
    at,
    file,
    master,
    put,
    read,
    refused,
)
from tests.contract.pachyderm.server import Server

MIB = 2**20


def paths(infos) -> list[str]:
    return [info.file.path for info in infos]


def test_bytes_come_back_from_any_offset(client: Client, repo: pfs.Repo) -> None:
    data = os.urandom(3 * MIB + 17)
    put(client, repo, film=data)
    for offset in (0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB, len(data) - 1, len(data)):
        assert read(client, file(repo, "/film"), offset) == data[offset:]


@pytest.mark.parametrize("size", [0, 1, 19 * MIB, 19 * MIB + 1, 45 * MIB], ids=str)
def test_a_file_object_of_any_size_is_put(client: Client, repo: pfs.Repo, size: int) -> None:
    data = os.urandom(size)
    with client.pfs.commit(branch=master(repo)) as commit:
        commit.put_file_from_file(path="/film", file=io.BytesIO(data))
    info = client.pfs.inspect_file(file=file(repo, "/film"))
    assert (info.size_bytes, info.file_type) == (size, pfs.FileType.FILE)
    assert read(client, file(repo, "/film")) == data


def test_appending_adds_and_putting_replaces(client: Client, repo: pfs.Repo) -> None:
    put(client, repo, log=b"one,")
    with client.pfs.commit(branch=master(repo)) as commit:
        commit.put_file_from_bytes("/log", b"two,", append=True)
        commit.put_file_from_bytes("/log", b"three", append=True)
    assert read(client, file(repo, "/log")) == b"one,two,three"
    put(client, repo, log=b"new")
    assert read(client, file(repo, "/log")) == b"new"


def test_an_empty_commit_has_no_root(client: Client, repo: pfs.Repo) -> None:
    with client.pfs.commit(branch=master(repo)) as commit:
        pass
    client.pfs.wait_commit(commit)
    with refused(NOT_FOUND, "file / not found"):
        client.pfs.inspect_file(file=file(repo, "/", commit.id))
    assert list(client.pfs.list_file(file=file(repo, "/", commit.id))) == []
    assert list(client.pfs.glob_file(commit=commit, pattern="/*")) == []


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/\u00e4", "only printable ASCII characters allowed"),
        ("/a\tb", "only printable ASCII characters allowed"),
        ("/a(1)", "globbing character (() not allowed in path"),
        ("/a/../b", "relative file paths are not allowed"),
    ],
)
def test_a_path_is_plain(client: Client, repo: pfs.Repo, path: str, why: str) -> None:
    commit = client.pfs.start_commit(branch=master(repo))
    with refused(UNKNOWN, f"path ({path}) invalid: {why}"):
        client.pfs.put_file_from_bytes(commit=commit, path=path, data=b"1")


def test_equal_files_have_equal_hashes_however_they_were_written(version_store: Server) -> None:
    """Ours have; of a real pachd's it depends on how its chunks were cut."""
    client = Client.from_pachd_address(version_store.address)
    repo = make_repo(client, pfs.Project(name="default"), "hashes")
    data = os.urandom(2 * MIB + 5)
    put(client, repo, whole=data, pieces=data[:7])
    with client.pfs.commit(branch=master(repo)) as commit:
        commit.put_file_from_bytes("/pieces", data[7:MIB], append=True)
        commit.put_file_from_bytes("/pieces", data[MIB:], append=True)
    hashes = {client.pfs.inspect_file(file=file(repo, p)).hash for p in ("/whole", "/pieces")}
    assert len(hashes) == 1


def test_one_stream_is_carried_out_in_its_order(client: Client, repo: pfs.Repo) -> None:
    put(client, repo, a__x=b"old", a__y=b"old", b=b"old")
    commit = client.pfs.start_commit(branch=master(repo))
    add = [pfs.AddFile(path=p, raw=p.encode()) for p in ("/a/x", "/c", "a/z")]
    client.pfs.modify_file(
        iter(
            [
                pfs.ModifyFileRequest(set_commit=commit),
                pfs.ModifyFileRequest(add_file=add[0]),
                pfs.ModifyFileRequest(delete_file=pfs.DeleteFile(path="/a/")),
                pfs.ModifyFileRequest(add_file=add[1]),
                pfs.ModifyFileRequest(add_file=add[2]),
                pfs.ModifyFileRequest(add_file=add[1]),
            ]
        )
    )
    client.pfs.finish_commit(commit=commit)
    client.pfs.wait_commit(commit)
    assert paths(client.pfs.walk_file(file=file(repo, "/"))) == ["/", "/a/", "/a/z", "/b", "/c"]
    assert read(client, file(repo, "/c")) == b"/c/c"


def test_a_stream_that_breaks_off_changes_nothing(client: Client, repo: pfs.Repo) -> None:
    commit = client.pfs.start_commit(branch=master(repo))

    def half():
        yield pfs.ModifyFileRequest(set_commit=commit)
        yield pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/half", raw=b"half"))
        raise ZeroDivisionError

    with pytest.raises(Exception, match=r"."):
        client.pfs.modify_file(half())
    assert paths(client.pfs.list_file(file=file(repo, "/", commit.id))) == []


def test_files_and_directories_are_copied(client: Client, repo: pfs.Repo) -> None:
    put(client, repo, a__x=b"x", a__b__y=b"y")
    with client.pfs.commit(branch=master(repo)) as commit:
        commit.copy_file(src=file(repo, "/a"), dst="/copy")
        commit.copy_file(src=file(repo, "/a/x"), dst="/a/b/y", append=True)
    assert read(client, file(repo, "/copy/b/y")) == b"y"
    assert read(client, file(repo, "/a/b/y")) == b"yx"


def test_a_branch_is_written_to_without_a_commit(client: Client, repo: pfs.Repo) -> None:
    client.pfs.put_file_from_bytes(
        commit=pfs.Commit(repo=repo, branch=master(repo)), path="/a", data=b"1"
    )
    client.pfs.wait_commit(at(repo))
    assert read(client, file(repo, "/a")) == b"1"


def test_missing_files_and_directories_are_told_apart(client: Client, repo: pfs.Repo) -> None:
    commit = put(client, repo, a__x=b"x")
    text = f"file /nope not found in repo {repo.project.name}/in at commit {commit.id}"
    with refused(NOT_FOUND, text):
        read(client, file(repo, "/nope", commit.id))
    with refused(NOT_FOUND, text):
        client.pfs.inspect_file(file=file(repo, "/nope", commit.id))
    with refused(UNKNOWN):
        read(client, file(repo, "/a"))
    with refused(NOT_FOUND):
        list(client.pfs.walk_file(file=file(repo, "/nope")))


def test_directories_sum_up_what_is_in_them(client: Client, repo: pfs.Repo) -> None:
    put(client, repo, a__b__x=bytes(3), a__y=bytes(4), z=bytes(5))
    sizes = {i.file.path: i.size_bytes for i in client.pfs.walk_file(file=file(repo, "/"))}
    assert sizes == {"/": 12, "/a/": 7, "/a/b/": 3, "/a/b/x": 3, "/a/y": 4, "/z": 5}
    info = client.pfs.inspect_file(file=file(repo, "/a/"))
    assert (info.file_type, info.size_bytes) == (pfs.FileType.DIR, 7)


def test_a_listing_has_one_level_and_a_walk_all(client: Client, repo: pfs.Repo) -> None:
    put(client, repo, **{"a__b__x": b"", "a-c": b"", "a__y": b"", "ab": b""})
    assert paths(client.pfs.list_file(file=file(repo, "/"))) == ["/a-c", "/a/", "/ab"]
    assert paths(client.pfs.list_file(file=file(repo, "/a"))) == ["/a/b/", "/a/y"]
    assert paths(client.pfs.list_file(file=file(repo, "/a/y"))) == ["/a/y"]
    assert paths(client.pfs.walk_file(file=file(repo, "/a"))) == [
        "/a/",
        "/a/b/",
        "/a/b/x",
        "/a/y",
    ]


def test_listings_come_in_pages(client: Client, repo: pfs.Repo) -> None:
    put(client, repo, **{f"f{n}": b"" for n in range(6)})
    root = file(repo, "/")
    assert paths(client.pfs.list_file(file=root, number=2)) == ["/f0", "/f1"]
    after = client.pfs.list_file(file=root, number=2, pagination_marker=file(repo, "/f1"))
    assert paths(after) == ["/f2", "/f3"]
    before = client.pfs.list_file(
        file=root, number=2, pagination_marker=file(repo, "/f4"), reverse=True
    )
    assert paths(before) == ["/f3", "/f2"]


def test_an_archive_holds_what_was_asked_for(client: Client, repo: pfs.Repo) -> None:
    long = "n" * 150
    big = os.urandom(2 * MIB + 3)
    put(client, repo, **{"a__x": b"x", "a__b__y": big, "c": b"", f"d__{long}": b"long"})

    def archived(path: str) -> dict[str, bytes]:
        with client.pfs.pfs_tar_file(file=file(repo, path)) as archive:
            assert isinstance(archive, tarfile.TarFile)
            return {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}

    everything = {"a/x": b"x", "a/b/y": big, "c": b"", f"d/{long}": b"long"}
    assert archived("/") == everything
    assert archived("/a") == {"a/x": b"x", "a/b/y": big}
    assert archived("/c") == {"c": b""}
    assert archived("/{a,c}") == {name: everything[name] for name in ("a/x", "a/b/y", "c")}


def test_globs_find_files_and_directories(client: Client, repo: pfs.Repo) -> None:
    put(client, repo, a__x=b"1", a__b__x=b"2", x=b"3")

    def found(pattern: str) -> list[str]:
        return paths(client.pfs.glob_file(commit=at(repo), pattern=pattern))

    assert found("/*") == ["/a/", "/x"]
    assert found("/a/*") == ["/a/b/", "/a/x"]
    assert found("/**/x") == ["/a/b/x", "/a/x"]
    assert found("a/{b,x}") == ["/a/b/", "/a/x"]
    assert found("/") == ["/"]
    assert found("/nope*") == []


def test_a_diff_names_what_is_new_changed_and_gone(client: Client, repo: pfs.Repo) -> None:
    first = put(client, repo, a__same=b"same", a__changed=b"old", gone=b"gone")
    with client.pfs.commit(branch=master(repo)) as second:
        second.put_file_from_bytes("/a/changed", b"newer")
        second.put_file_from_bytes("/new", b"new")
        second.delete_file(path="/gone")
    second.wait()
    for old in ({}, {"old_file": file(repo, "/", first.id)}):
        found = {
            (d.new_file.file.path, d.old_file.file.path)
            for d in client.pfs.diff_file(new_file=file(repo, "/"), **old)
            if pfs.FileType.FILE in (d.new_file.file_type, d.old_file.file_type)
        }
        assert found == {("/a/changed", "/a/changed"), ("/new", ""), ("", "/gone")}


def test_fsck_finds_nothing_wrong(client: Client, repo: pfs.Repo) -> None:
    put(client, repo, a=b"1")
    assert list(client.pfs.fsck()) == []
