"""Erasing: files leave every commit that holds them; see chexnet/adapters/pachyderm/erasing.py."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from pachyderm_sdk.api import pfs

from chexnet.adapters.pachyderm.erasing import COLLECT, ERASE, Erase
from services.version_store import commits, globs, names, references, trees
from services.version_store.database import Sql
from services.version_store.rpc import Call, Method
from services.version_store.store import Change, Store


def erase(change: Change, request: Erase) -> list[str]:
    """Delete the rows of matching files from all layers of a repo, also of open commits."""
    sql, project = change.sql, pfs.Project(name=request.project)
    named = pfs.Repo(name=request.repo, type=request.kind, project=project)
    repo = references.repo(sql, named)["key"]
    matches = [globs.compiled(names.path(pattern)).fullmatch for pattern in request.patterns]
    rows = sql.execute(
        "SELECT layer, path, hash FROM entries"
        " WHERE layer IN (SELECT key FROM layers WHERE repo = ?)",
        (repo,),
    )
    found = [
        (layer, path)
        for layer, path, content in rows
        if (not request.hashes or content in request.hashes)
        and any(match(path) for match in matches)
    ]
    sql.executemany("DELETE FROM entries WHERE layer = ? AND path = ?", found)
    _weigh(sql, repo)
    change.garbage = True
    return sorted({path for _, path in found})


def _weigh(sql: Sql, repo: int) -> None:
    """Set the sizes of the branches' heads anew."""
    query = "SELECT c.* FROM branches b JOIN commits c ON c.key = b.head WHERE b.repo = ?"
    for row in sql.execute(query, (repo,)).fetchall():
        size = sum(content.size for _, content in trees.walk(sql, commits.stack(sql, row)))
        sql.execute("UPDATE commits SET size = ? WHERE key = ?", (size, row["key"]))


def methods(store: Store) -> Mapping[str, Method]:
    """Return the methods by their paths."""

    def run(request: Erase, _: Call) -> bytes:
        with store.change() as change:
            paths = erase(change, request)
        return msgspec.json.encode(paths)

    def collect(_: object, __: Call) -> bytes:
        return msgspec.json.encode(store.blobs.collect())

    return {
        ERASE: Method(Erase, run, parse=lambda data: msgspec.json.decode(data, type=Erase)),
        COLLECT: Method(dict, collect, parse=msgspec.json.decode),
    }
