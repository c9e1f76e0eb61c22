"""Pachyderm's PFS API: which function answers which method."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import betterproto
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
    transactions,
    watching,
    wire,
    writing,
)
from services.version_store.database import Sql
from services.version_store.rpc import Call, Method
from services.version_store.store import Change, Store

Read = Callable[[Sql, Any], betterproto.Message]
ReadMany = Callable[[Sql, Any], Iterable[betterproto.Message | bytes]]
Write = Callable[[Change, Any], object]


def methods(store: Store) -> Mapping[str, Method]:
    """Return the methods by their paths."""

    def read(request: type[betterproto.Message], answer: Read) -> Method:
        def run(message: object, _: Call) -> betterproto.Message:
            with store.database.read() as sql:
                return answer(sql, message)

        return Method(request, run)

    def read_many(request: type[betterproto.Message], answer: ReadMany) -> Method:
        def run(message: object, _: Call) -> Iterator[betterproto.Message | bytes]:
            with store.database.read() as sql:
                yield from answer(sql, message)

        return Method(request, run, responses=True)

    def write(request: type[betterproto.Message], step: Write, empty: object = Empty) -> Method:
        def run(message: Any, call: Call) -> object:
            field = next((name for name, known in transactions.STEPS.items() if known is step), "")
            if call.transaction and field:
                made = transactions.add(store, call.transaction, field, message)
            else:
                with store.change() as change:
                    made = step(change, message)
            return made if made is not None else empty()  # type: ignore[operator]

        return Method(request, run)

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
        "CreateProject": write(pfs.CreateProjectRequest, projects.create),
        "InspectProject": read(pfs.InspectProjectRequest, projects.inspect),
        "ListProject": read_many(pfs.ListProjectRequest, lambda sql, _: projects.every(sql)),
        "DeleteProject": write(pfs.DeleteProjectRequest, projects.delete),
        "CreateRepo": write(pfs.CreateRepoRequest, repos.create),
        "InspectRepo": read(pfs.InspectRepoRequest, repos.inspect),
        "ListRepo": read_many(pfs.ListRepoRequest, repos.every),
        "DeleteRepo": write(pfs.DeleteRepoRequest, repos.delete),
        "DeleteRepos": write(pfs.DeleteReposRequest, repos.delete_many),
        "CreateBranch": write(pfs.CreateBranchRequest, branches.create),
        "InspectBranch": read(pfs.InspectBranchRequest, branches.inspect),
        "ListBranch": read_many(pfs.ListBranchRequest, branches.every),
        "DeleteBranch": write(pfs.DeleteBranchRequest, branches.delete),
        "StartCommit": write(pfs.StartCommitRequest, branches.start_commit),
        "FinishCommit": write(pfs.FinishCommitRequest, commits.finish_named),
        "ClearCommit": write(pfs.ClearCommitRequest, commits.clear),
        "ListCommit": read_many(pfs.ListCommitRequest, commits.every),
        "InspectCommit": Method(pfs.InspectCommitRequest, inspect_commit),
        "SubscribeCommit": Method(pfs.SubscribeCommitRequest, subscribe, responses=True),
        "SquashCommit": write(
            pfs.SquashCommitRequest, commit_sets.squash, pfs.SquashCommitResponse
        ),
        "DropCommit": write(pfs.DropCommitRequest, commit_sets.drop, pfs.DropCommitResponse),
        "InspectCommitSet": Method(pfs.InspectCommitSetRequest, inspect_set, responses=True),
        "ListCommitSet": read_many(pfs.ListCommitSetRequest, commit_sets.every),
        "SquashCommitSet": write(pfs.SquashCommitSetRequest, commit_sets.squash_set),
        "DropCommitSet": write(pfs.DropCommitSetRequest, commit_sets.drop_set),
        "ModifyFile": Method(
            pfs.ModifyFileRequest, modify_file, requests=True, parse=wire.modify_request
        ),
        "GetFile": Method(pfs.GetFileRequest, get_file, responses=True),
        "GetFileTAR": Method(pfs.GetFileRequest, get_file_tar, responses=True),
        "InspectFile": read(pfs.InspectFileRequest, reading.inspect),
        "ListFile": read_many(pfs.ListFileRequest, reading.list_),
        "WalkFile": read_many(pfs.WalkFileRequest, reading.walk),
        "GlobFile": read_many(pfs.GlobFileRequest, reading.glob),
        "DiffFile": read_many(pfs.DiffFileRequest, reading.diff),
        "Fsck": Method(pfs.FsckRequest, check, responses=True),
    }
    return {f"/pfs_v2.API/{name}": method for name, method in table.items()}
