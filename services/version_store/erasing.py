"""Erasing: files leave every commit that holds them; see chexnet/adapters/pachyderm/erasing.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from pachyderm_sdk.api import pfs

from chexnet.adapters.pachyderm.erasing import COLLECT, ERASE, FIND, Files, Version
from services.version_store import commits, globs, names, references, trees
from services.version_store.blobs import Blobs
from services.version_store.database import Sql
from services.version_store.rpc import Call, Method
from services.version_store.store import Change, Store


def find(sql: Sql, blobs: Blobs, request: Files) -> list[Version]:
    """Return the contents that matching files have in any commit, each with the first such."""
    rows = sql.execute(
        "SELECT e.path, e.hash, e.chunks, c.id FROM commits c JOIN entries e ON e.layer = c.diff"
        " WHERE c.repo = ? AND e.hash IS NOT NULL ORDER BY c.key",
        (_repo(sql, request),),
    )
    found: dict[tuple[str, bytes], Version] = {}
    meant = _meant(sql, blobs, request)
    for path, content, chunks, commit in rows:
        if meant(path, content, chunks):
            found.setdefault((path, content), Version(path, content, commit))
    return list(found.values())


def erase(change: Change, blobs: Blobs, request: Files) -> list[str]:
    """Take matching files out of all layers of a repo, also of open commits; return their paths.

    Where only some contents are meant, the path stays deleted there: without its row, the content
    of a layer below would come up in a commit that never had it.
    """
    sql, repo = change.sql, _repo(change.sql, request)
    meant = _meant(sql, blobs, request)
    query = (
        "SELECT layer, path, hash, chunks FROM entries"
        " WHERE layer IN (SELECT key FROM layers WHERE repo = ?)"
    )
    rows = sql.execute(query, (repo,)).fetchall()
    found = [(layer, path) for layer, path, content, chunks in rows if meant(path, content, chunks)]
    gone = "DELETE FROM entries WHERE layer = ? AND path = ?"
    if request.selective:
        gone = "UPDATE entries SET size = 0, hash = NULL, chunks = x'' WHERE layer = ? AND path = ?"
    sql.executemany(gone, found)
    _weigh(sql, repo)
    change.garbage = True
    return sorted({path for _, path in found})


def _repo(sql: Sql, request: Files) -> int:
    project = pfs.Project(name=request.project)
    named = pfs.Repo(name=request.repo, type=request.kind, project=project)
    return int(references.repo(sql, named)["key"])


def _meant(sql: Sql, blobs: Blobs, request: Files) -> Callable[[str, bytes | None, bytes], bool]:
    """Return what says of a row's path, hash and chunks whether the request means it."""
    globbed = [globs.compiled(names.path(pattern)).fullmatch for pattern in request.patterns]
    holds: dict[bytes, bool] = {}  # Many commits have one content.

    def holding(content: bytes, chunks: bytes) -> bool:
        if content not in holds:
            holds[content] = request.holding.encode() in b"".join(blobs.stream(sql, chunks))
        return holds[content]

    def meant(path: str, content: bytes | None, chunks: bytes) -> bool:
        if not any(match(path) for match in globbed):
            return False
        if content is None:  # A deletion.
            return not request.selective
        if request.hashes and content not in request.hashes:
            return False
        return not request.holding or holding(content, chunks)

    return meant


def _weigh(sql: Sql, repo: int) -> None:
    """Set the sizes of the branches' heads anew."""
    query = "SELECT c.* FROM branches b JOIN commits c ON c.key = b.head WHERE b.repo = ?"
    for row in sql.execute(query, (repo,)).fetchall():
        size = sum(content.size for _, content in trees.walk(sql, commits.stack(sql, row)))
        sql.execute("UPDATE commits SET size = ? WHERE key = ?", (size, row["key"]))


def methods(store: Store) -> Mapping[str, Method]:
    """Return the methods by their paths."""

    def run_find(request: Files, _: Call) -> bytes:
        with store.database.read() as sql:
            return msgspec.json.encode(find(sql, store.blobs, request))

    def run_erase(request: Files, _: Call) -> bytes:
        with store.change() as change:
            paths = erase(change, store.blobs, request)
        return msgspec.json.encode(paths)

    def collect(_: object, __: Call) -> bytes:
        return msgspec.json.encode(store.blobs.collect(at_once=True))

    parse = msgspec.json.Decoder(Files).decode
    return {
        FIND: Method(Files, run_find, parse=parse),
        ERASE: Method(Files, run_erase, parse=parse),
        COLLECT: Method(dict, collect, parse=msgspec.json.decode),
    }
