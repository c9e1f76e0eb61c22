"""Writing files: a stream of additions, deletions and copies, all or nothing.

While the stream comes, only its bytes are kept, as chunks. What it does to the commit's tree is
done at its end, in one transaction, in the stream's order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import betterproto
from pachyderm_sdk.api import pfs

from chexnet.adapters.pachyderm import paths
from services.version_store import branches, commits, names, references, trees, wire
from services.version_store.blobs import CHUNK, HASH, Blobs, Content, Stage, content
from services.version_store.database import Sql
from services.version_store.errors import StoreError, unimplemented
from services.version_store.listing import View
from services.version_store.references import Row
from services.version_store.store import Change, Store


class Add(NamedTuple):
    """Bytes behind what a file already holds."""

    path: str
    size: int
    chunks: bytes


Step: TypeAlias = Add | wire.Deletion | pfs.CopyFile


class _Chunker:
    """Cuts a file's bytes into chunks as they come."""

    def __init__(self, store: Store, stage: Stage) -> None:
        self._store, self._stage = store, stage
        self._buffer = bytearray()
        self._size, self._chunks = 0, bytearray()

    def add(self, data: memoryview) -> None:
        self._size += len(data)
        while data:
            if len(data) >= CHUNK and not self._buffer:
                self._keep(data[:CHUNK])
                data = data[CHUNK:]
                continue
            room = CHUNK - len(self._buffer)
            self._buffer += data[:room]
            data = data[room:]
            if len(self._buffer) == CHUNK:
                self._keep(bytes(self._buffer))
                self._buffer.clear()

    def _keep(self, data: bytes | memoryview) -> None:
        with self._store.database.read() as sql:
            self._chunks += self._stage.add(sql, data)

    def end(self, path: str) -> Add:
        if self._buffer:
            self._keep(bytes(self._buffer))
        return Add(path, self._size, bytes(self._chunks))


def modify(store: Store, requests: Iterator[wire.ModifyRequest], whole: Callable[[], bool]) -> None:
    """Carry out one stream, if it is whole at its end; its first message names the commit."""
    first = next(requests, None)
    if not isinstance(first, pfs.ModifyFileRequest) or _field(first) != "set_commit":
        raise StoreError("first message must be a set_commit message")
    commit = first.set_commit
    with store.database.read() as sql:
        _writable(sql, commit)
    with store.blobs.stage() as stage:
        steps = list(_steps(store, stage, requests))
        stage.sync()
        if not whole():
            raise StoreError("the stream was broken off: nothing of it is kept")
        with store.change() as change:
            row = _writable(change.sql, commit)
            one_off = row is None
            if row is None:
                made = branches.start_commit(change, pfs.StartCommitRequest(branch=commit.branch))
                row = references.commit(change.sql, made)
            _apply(change, store.blobs, stage, row, steps)
            stage.record(change.sql)
            if one_off:
                commits.finish(change, row["key"])


def _writable(sql: Sql, commit: pfs.Commit) -> Row | None:
    """Return the open commit; None if a branch is named whose head is not open."""
    if not commit.id and commit.branch.name:
        repo = references.repo(sql, commit.branch.repo)
        branch = references.try_branch(sql, repo["key"], commit.branch.name)
        head = references.commit_at(sql, branch["head"]) if branch else None
        return None if head is None or head["finishing"] is not None else head
    row = references.commit(sql, commit)
    commits.refuse_finished(sql, row)
    return row


def _steps(store: Store, stage: Stage, requests: Iterator[wire.ModifyRequest]) -> Iterator[Step]:
    path, chunker = "", None
    for request in requests:
        if isinstance(request, wire.Piece):
            if chunker is None or path != _file(request.path):
                if chunker is not None:
                    yield chunker.end(path)
                path, chunker = _file(request.path), _Chunker(store, stage)
            chunker.add(memoryview(request.data))
            continue
        if chunker is not None:
            yield chunker.end(path)
            chunker = None
        if isinstance(request, wire.Deletion):
            yield request
        elif _field(request) == "copy_file":
            yield request.copy_file
        elif _field(request) == "add_file":
            raise unimplemented("Putting a file from a URL")
        else:
            raise StoreError(f"unrecognized message type: {_field(request) or 'none'}")
    if chunker is not None:
        yield chunker.end(path)


def _field(request: pfs.ModifyFileRequest) -> str:
    return str(betterproto.which_one_of(request, "body")[0])


def _file(path: str) -> str:
    if why := paths.wrong(path):
        raise StoreError(why)
    clean = names.path(path)
    if clean == "/":
        raise StoreError(f"path ({path}) invalid: a file needs a name")
    return clean


def _apply(change: Change, blobs: Blobs, stage: Stage, row: Row, steps: list[Step]) -> None:
    tree = _Overlay(change.sql, commits.stack(change.sql, row))
    for step in steps:
        if isinstance(step, Add):
            tree.add(step.path, step, blobs, stage)
        elif isinstance(step, wire.Deletion):
            delete = tree.delete_directory if step.path.endswith("/") else tree.delete
            delete(names.path(step.path))
        else:
            _copy(change.sql, tree, step, blobs, stage)
    trees.put(change.sql, row["diff"], tree.changes)


def _copy(sql: Sql, tree: _Overlay, step: pfs.CopyFile, blobs: Blobs, stage: Stage) -> None:
    top, target = names.path(step.src.path), names.path(step.dst)
    for node in View(sql, step.src.commit).walk(top):
        if node.chunks is not None:
            path = names.path(target + "/" + node.path[len(top) :])
            if not step.append:
                tree.delete(path)
            tree.add(_file(path), Add(path, node.size, node.chunks), blobs, stage)


class _Overlay:
    """A commit's tree with the changes of one stream on top."""

    def __init__(self, sql: Sql, stack: list[int]) -> None:
        self._sql, self._stack = sql, stack
        self._blank = trees.is_empty(sql, stack)
        self._directories: set[str] = set()  # Of the changes.
        self.changes: dict[str, Content | None] = {}

    def _find(self, path: str) -> Content | None:
        if path in self.changes:
            return self.changes[path]
        return None if self._blank else trees.find(self._sql, self._stack, path)

    def delete(self, path: str) -> None:
        """Delete a file; one that is not there is no error."""
        if self._find(path) is not None:
            self.changes[path] = None

    def delete_directory(self, path: str) -> None:
        """Delete all files below a directory, if it is there."""
        if not self._blank:
            for inner, _ in trees.walk(self._sql, self._stack, path):
                self.changes[inner] = None
        if path in self._directories:
            inside = path.rstrip("/") + "/"
            self.changes.update({p: None for p in self.changes if p.startswith(inside)})

    def add(self, path: str, added: Add, blobs: Blobs, stage: Stage) -> None:
        """Append to a file, which is made if need be."""
        old = self._find(path)
        self._directories.update(names.ancestors(path))
        if old is None or not old.size:
            self.changes[path] = content(added.size, added.chunks)
            return
        chunks = _joined(self._sql, blobs, stage, old, added.chunks)
        self.changes[path] = content(old.size + added.size, chunks)


def _joined(sql: Sql, blobs: Blobs, stage: Stage, old: Content, more: bytes) -> bytes:
    """Return the chunks of two contents as one: all full but the last, so equal files are equal."""
    if old.size % CHUNK == 0:
        return old.chunks + more
    chunks = bytearray(old.chunks[:-HASH])
    buffer = bytearray(blobs.read(sql, old.chunks[-HASH:]))
    for data in blobs.stream(sql, more):
        buffer += data
        if len(buffer) >= CHUNK:
            chunks += stage.add(sql, bytes(buffer[:CHUNK]))
            del buffer[:CHUNK]
    if buffer:
        chunks += stage.add(sql, bytes(buffer))
    stage.sync()
    return bytes(chunks)
