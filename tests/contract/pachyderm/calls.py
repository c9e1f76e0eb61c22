"""Short ways to say what these tests do with the SDK."""

from __future__ import annotations

import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs

NOT_FOUND = grpc.StatusCode.NOT_FOUND
EXISTS = grpc.StatusCode.ALREADY_EXISTS
UNKNOWN = grpc.StatusCode.UNKNOWN
INTERNAL = grpc.StatusCode.INTERNAL
NOT_EMPTY = grpc.StatusCode.FAILED_PRECONDITION
UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED


def master(repo: pfs.Repo) -> pfs.Branch:
    return pfs.Branch(repo=repo, name="master")


def at(repo: pfs.Repo, reference: str = "master") -> pfs.Commit:
    return pfs.Commit(repo=repo, id=reference)


def file(repo: pfs.Repo, path: str, reference: str = "master") -> pfs.File:
    return pfs.File(commit=at(repo, reference), path=path)


def put(client: Client, repo: pfs.Repo, **files: bytes) -> pfs.Commit:
    """Make one finished commit on master; `a__b=` is the path /a/b."""
    with client.pfs.commit(branch=master(repo)) as commit:
        for name, data in files.items():
            commit.put_file_from_bytes(path="/" + name.replace("__", "/"), data=data)
    client.pfs.wait_commit(commit)
    return commit


def read(client: Client, named: pfs.File, offset: int = 0) -> bytes:
    return b"".join(piece.value for piece in client.pfs.get_file(file=named, offset=offset))


def head(client: Client, repo: pfs.Repo, branch: str = "master") -> pfs.CommitInfo:
    found = client.pfs.inspect_branch(branch=pfs.Branch(repo=repo, name=branch))
    return client.pfs.inspect_commit(commit=found.head)


def refused(code: grpc.StatusCode, text: str = ""):
    """Expect an error of the API with this code and text."""

    def says(error: grpc.RpcError) -> bool:
        return error.code() == code and text in error.details()

    return pytest.RaisesExc(grpc.RpcError, check=says)
