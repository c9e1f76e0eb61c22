"""Erasing: files leave every commit that holds them; see chexnet/adapters/pachyderm/erasing.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from pachyderm_sdk.api import pfs

from chexnet.adapters.pachyderm.erasing import COLLECT, ERASE, FIND, Files, Version
from services.version_store import commits, globs, names, references, trees
from services.version_store.database import Sql
from services.version_store.rpc import Call, Method
from services.version_store.store import Change, Store


def find(sql: Sql, request: Files) -> list[Version]:
    """Return the contents that matching files have in any commit, each with the first such."""
    rows = sql.execute(
        "SELECT e.path, e.hash, c.id FROM commits c JOIN entries e ON e.layer = c.diff"
        " WHERE c.repo = ? AND e.hash IS NOT NULL ORDER BY c.key",
        (_repo(sql, request),),
    )
    found: dict[tuple[str, bytes], Version] = {}
    matches = _matches(request)
    for path, content, commit in rows:
        if matches(path):
            found.setdefault((path, content), Version(path, content, commit))
    return list(found.values())


def erase(change: Change, request: Files) -> list[str]:
    """Delete the rows of matching files from all layers of a repo, also of open commits."""
    sql, repo, matches = change.sql, _repo(change.sql, request), _matches(request)
    query = (
        "SELECT layer, path, hash FROM entries"
        " WHERE layer IN (SELECT key FROM layers WHERE repo = ?)"
    )
    found = [
        (layer, path)
        for layer, path, content in sql.execute(query, (repo,))
        if (not request.hashes or content in request.hashes) and matches(path)
    ]
    sql.executemany("DELETE FROM entries WHERE layer = ? AND path = ?", found)
    _weigh(sql, repo)
    change.garbage = True
    return sorted({path for _, path in found})


def _repo(sql: Sql, request: Files) -> int:
    project = pfs.Project(name=request.project)
    named = pfs.Repo(name=request.repo, type=request.kind, project=project)
    return int(references.repo(sql, named)["key"])


def _matches(request: Files) -> Callable[[str], bool]:
    globbed = [globs.compiled(names.path(pattern)).fullmatch for pattern in request.patterns]
    return lambda path: any(match(path) for match in globbed)


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
            return msgspec.json.encode(find(sql, request))

    def run_erase(request: Files, _: Call) -> bytes:
        with store.change() as change:
            paths = erase(change, request)
        return msgspec.json.encode(paths)

    def collect(_: object, __: Call) -> bytes:
        return msgspec.json.encode(store.blobs.collect())

    parse = msgspec.json.Decoder(Files).decode
    return {
        FIND: Method(Files, run_find, parse=parse),
        ERASE: Method(Files, run_erase, parse=parse),
        COLLECT: Method(dict, collect, parse=msgspec.json.decode),
    }
