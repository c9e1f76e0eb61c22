"""Pachyderm's PFS API: which function answers which method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from betterproto.lib.google.protobuf import Empty
from pachyderm_sdk.api import pfs

from services.version_store import (
    branches,
    commit_sets,
    commits,
    fsck,
    projects,
    reading,
    repos,
    watching,
    wire,
    writing,
)
from services.version_store.calls import Calls
from services.version_store.rpc import Call, Method
from services.version_store.store import Store


def methods(store: Store) -> Mapping[str, Method]:
    """Return the methods by their paths."""
    calls = Calls(store)

    def modify_file(requests: Iterator[wire.ModifyRequest], call: Call) -> Empty:
        writing.modify(store, requests, call.whole)
        return Empty()

    def get_file(request: pfs.GetFileRequest, _: Call) -> Iterator[bytes]:
        with store.database.read() as sql:
            yield from wire.pieces(reading.get(sql, store.blobs, request))

    def get_file_tar(request: pfs.GetFileRequest, _: Call) -> Iterator[bytes]:
        with store.database.read() as sql:
            yield from wire.pieces(reading.get_tar(sql, store.blobs, request))

    def check(_: pfs.FsckRequest, __: Call) -> Iterator[pfs.FsckResponse]:
        with store.database.read() as sql:
            for fault in fsck.check(sql, store.blobs):
                yield pfs.FsckResponse(error=fault)

    def inspect_commit(request: pfs.InspectCommitRequest, call: Call) -> pfs.CommitInfo:
        return watching.inspect(store.database, request, call.going_on)

    def inspect_set(request: pfs.InspectCommitSetRequest, call: Call) -> Iterator[pfs.CommitInfo]:
        return watching.inspect_set(store.database, request, call.going_on)

    def subscribe(request: pfs.SubscribeCommitRequest, call: Call) -> Iterator[pfs.CommitInfo]:
        return watching.subscribe(store.database, request, call.going_on)

    table = {
        "CreateProject": calls.write(pfs.CreateProjectRequest, projects.create),
        "InspectProject": calls.read(pfs.InspectProjectRequest, projects.inspect),
        "ListProject": calls.read_many(pfs.ListProjectRequest, lambda sql, _: projects.every(sql)),
        "DeleteProject": calls.write(pfs.DeleteProjectRequest, projects.delete),
        "CreateRepo": calls.write(pfs.CreateRepoRequest, repos.create),
        "InspectRepo": calls.read(pfs.InspectRepoRequest, repos.inspect),
        "ListRepo": calls.read_many(pfs.ListRepoRequest, repos.every),
        "DeleteRepo": calls.write(pfs.DeleteRepoRequest, repos.delete),
        "DeleteRepos": calls.write(pfs.DeleteReposRequest, repos.delete_many),
        "CreateBranch": calls.write(pfs.CreateBranchRequest, branches.create),
        "InspectBranch": calls.read(pfs.InspectBranchRequest, branches.inspect),
        "ListBranch": calls.read_many(pfs.ListBranchRequest, branches.every),
        "DeleteBranch": calls.write(pfs.DeleteBranchRequest, branches.delete),
        "StartCommit": calls.write(pfs.StartCommitRequest, branches.start_commit),
        "FinishCommit": calls.write(pfs.FinishCommitRequest, commits.finish_named),
        "ClearCommit": calls.write(pfs.ClearCommitRequest, commits.clear),
        "ListCommit": calls.read_many(pfs.ListCommitRequest, commits.every),
        "InspectCommit": Method(pfs.InspectCommitRequest, inspect_commit),
        "SubscribeCommit": Method(pfs.SubscribeCommitRequest, subscribe, responses=True),
        "SquashCommit": calls.write(
            pfs.SquashCommitRequest, commit_sets.squash, pfs.SquashCommitResponse
        ),
        "DropCommit": calls.write(pfs.DropCommitRequest, commit_sets.drop, pfs.DropCommitResponse),
        "InspectCommitSet": Method(pfs.InspectCommitSetRequest, inspect_set, responses=True),
        "ListCommitSet": calls.read_many(pfs.ListCommitSetRequest, commit_sets.every),
        "SquashCommitSet": calls.write(pfs.SquashCommitSetRequest, commit_sets.squash_set),
        "DropCommitSet": calls.write(pfs.DropCommitSetRequest, commit_sets.drop_set),
        "ModifyFile": Method(
            pfs.ModifyFileRequest, modify_file, requests=True, parse=wire.modify_request
        ),
        "GetFile": Method(pfs.GetFileRequest, get_file, responses=True),
        "GetFileTAR": Method(pfs.GetFileRequest, get_file_tar, responses=True),
        "InspectFile": calls.read(pfs.InspectFileRequest, reading.inspect),
        "ListFile": calls.read_many(pfs.ListFileRequest, reading.list_),
        "WalkFile": calls.read_many(pfs.WalkFileRequest, reading.walk),
        "GlobFile": calls.read_many(pfs.GlobFileRequest, reading.glob),
        "DiffFile": calls.read_many(pfs.DiffFileRequest, reading.diff),
        "Fsck": Method(pfs.FsckRequest, check, responses=True),
    }
    return {f"/pfs_v2.API/{name}": method for name, method in table.items()}
