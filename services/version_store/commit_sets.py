"""Commit sets: the commits of one id in all repos, and taking commits out of history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pachyderm_sdk.api import pfs

from services.version_store import branches, commits, names, references, trees
from services.version_store.database import Sql
from services.version_store.errors import StoreError, missing
from services.version_store.references import Row
from services.version_store.store import Change

WORTH = 2**20  # Bytes of files that a collection is worth, which reads all that is kept.


def members(sql: Sql, name: str) -> list[Row]:
    """Return the commits of a set: upstream ones start first, so by age; or raise NOT_FOUND."""
    query = "SELECT * FROM commits WHERE id = ? ORDER BY key"
    rows = sql.execute(query, (name,)).fetchall()
    if not rows:
        raise missing(f"no commits found for commitset {name}")
    return rows


def every(sql: Sql, request: pfs.ListCommitSetRequest) -> Iterator[pfs.CommitSetInfo]:
    """Yield the sets with a commit in the project, or all sets; the newest first."""
    rows = sql.execute(
        "SELECT c.id FROM commits c JOIN repos r ON r.key = c.repo"
        " WHERE :project IN ('', r.project) GROUP BY c.id ORDER BY MAX(c.key) DESC",
        {"project": request.project.name},
    )
    for (name,) in rows:
        infos = [commits.info(sql, row) for row in members(sql, name)]
        yield pfs.CommitSetInfo(commit_set=pfs.CommitSet(id=name), commits=infos)


def squash_set(change: Change, request: pfs.SquashCommitSetRequest) -> None:
    """Take a set out of history; the commits after it hold what it changed."""
    rows = members(change.sql, request.commit_set.id)
    _refuse_dependants(change.sql, request.commit_set.id, rows)
    _squash(change, rows)


def drop_set(change: Change, request: pfs.DropCommitSetRequest) -> None:
    """Take a set out of history with what it changed; only the newest can be."""
    rows = members(change.sql, request.commit_set.id)
    _refuse_dependants(change.sql, request.commit_set.id, rows)
    _drop(change, rows)


def squash(change: Change, request: pfs.SquashCommitRequest) -> None:
    """Squash one commit, and with `recursive` all that were made from it."""
    _squash(change, _with_downstream(change.sql, request.commit, request.recursive, "squash"))


def drop(change: Change, request: pfs.DropCommitRequest) -> None:
    """Drop one commit, and with `recursive` all that were made from it."""
    _drop(change, _with_downstream(change.sql, request.commit, request.recursive, "drop"))


def _with_downstream(sql: Sql, named: pfs.Commit, recursive: bool, verb: str) -> list[Row]:
    row = references.commit(sql, named)
    rows = [references.commit_at(sql, key) for key in _reached(sql, [row["key"]])]
    if len(rows) > 1 and not recursive:
        name = names.of_commit(references.name_of_commit(sql, row["key"]))
        raise StoreError(f"cannot {verb} commit ({name}) with subvenance without recursive")
    return rows


def _reached(sql: Sql, keys: Iterable[int]) -> list[int]:
    """Return commits and all that were made from them."""
    found: list[int] = []
    waiting = list(keys)
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.append(key)
            waiting += commits.downstream(sql, key)
    return found


def _refuse_dependants(sql: Sql, name: str, rows: list[Row]) -> None:
    reached = _reached(sql, [row["key"] for row in rows])
    others = {references.commit_at(sql, key)["id"] for key in reached} - {name}
    if others:
        raise StoreError(
            f'commit set "{name}" cannot be dropped because it has subvenant commit sets: '
            f"{', '.join(sorted(others))}"
        )


def _squash(change: Change, rows: list[Row]) -> None:
    sql = change.sql
    for row in rows:
        if not commits.children(sql, row["key"]):
            raise StoreError(
                "cannot squash a commit that has no children as that would cause data loss, use "
                f"the drop operation instead: {_name(sql, row)}"
            )
    for row in rows:
        for child in commits.children(sql, row["key"]):
            if not row["error"]:
                trees.fold(sql, row["diff"], references.commit_at(sql, child)["diff"])
        _delete(change, row)


def _drop(change: Change, rows: list[Row]) -> None:
    for row in rows:
        if commits.children(change.sql, row["key"]):
            raise StoreError(f"cannot drop a commit that has children: {_name(change.sql, row)}")
    for row in rows:
        _delete(change, row)


def _name(sql: Sql, row: Row) -> str:
    return names.of_commit(references.name_of_commit(sql, row["key"]))


def _delete(change: Change, row: Row) -> None:
    """Delete a commit: its children get its parent, and branches that it headed too."""
    sql, key = change.sql, row["key"]
    sql.execute("DELETE FROM commit_provenance WHERE upstream = ? OR downstream = ?", (key, key))
    sql.execute("UPDATE commits SET parent = ? WHERE parent = ?", (row["parent"], key))
    heads = sql.execute("SELECT * FROM branches WHERE head = ?", (key,)).fetchall()
    parent = row["parent"]
    if heads and parent is None:
        parent = branches.empty_head(change, heads[0])
    for branch in heads:
        branches.move(change, branch["repo"], branch["name"], parent)
    sql.execute("DELETE FROM commits WHERE key = ?", (key,))
    if trees.sweep(sql, row["repo"]) >= WORTH:
        change.garbage = True
