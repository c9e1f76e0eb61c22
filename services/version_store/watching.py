"""Watching commits: calls that answer when a commit gets into a state, or as commits come."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pachyderm_sdk.api import pfs

from services.version_store import commit_sets, commits, names, references
from services.version_store.database import Database, Sql
from services.version_store.errors import StoreError
from services.version_store.references import Row

GoingOn = Callable[[], bool]


def _reached(sql: Sql, row: Row, state: pfs.CommitState) -> bool:
    if state == pfs.CommitState.FINISHED:
        return row["finished"] is not None
    if state == pfs.CommitState.FINISHING:
        return row["finishing"] is not None
    if state == pfs.CommitState.READY:
        inputs = (references.commit_at(sql, key) for key in commits.upstream(sql, row["key"]))
        return all(row["finished"] is not None for row in inputs)
    return True


def inspect(
    database: Database, request: pfs.InspectCommitRequest, going_on: GoingOn
) -> pfs.CommitInfo:
    """Return a commit when it has reached the state that is waited for."""
    with database.read() as sql:
        row = references.commit(sql, request.commit)
        name = names.of_commit(references.name_of_commit(sql, row["key"]))
    return _wait(database, row["key"], name, pfs.CommitState(request.wait), going_on)


def _wait(
    database: Database, key: int, name: str, state: pfs.CommitState, going_on: GoingOn
) -> pfs.CommitInfo:
    for _ in database.changes(going_on):
        with database.read() as sql:
            row = references.commit_at(sql, key)
            if row is None:
                raise StoreError(f"commit {name} was deleted")
            if _reached(sql, row, state):
                return commits.info(sql, row)
    raise StoreError(f"nobody waits for commit {name} any more")


def inspect_set(
    database: Database, request: pfs.InspectCommitSetRequest, going_on: GoingOn
) -> Iterator[pfs.CommitInfo]:
    """Yield a set's commits, upstream ones first; with `wait`, each when it is finished."""
    state = pfs.CommitState.FINISHED if request.wait else pfs.CommitState.STARTED
    with database.read() as sql:
        found = [
            (row["key"], names.of_commit(references.name_of_commit(sql, row["key"])))
            for row in commit_sets.members(sql, request.commit_set.id)
        ]
    for key, name in found:
        yield _wait(database, key, name, state, going_on)


def subscribe(
    database: Database, request: pfs.SubscribeCommitRequest, going_on: GoingOn
) -> Iterator[pfs.CommitInfo]:
    """Yield a repo's or a branch's commits, oldest first, each when it has reached the state."""
    with database.read() as sql:
        repo = references.repo(sql, request.repo)["key"]
        given = request.from_.id or request.from_.branch.name
        last = references.commit(sql, request.from_)["key"] if given else 0
    for _ in database.changes(going_on):
        with database.read() as sql:
            infos, last = _next(sql, request, repo, last)
        yield from infos


def _next(
    sql: Sql, request: pfs.SubscribeCommitRequest, repo: int, last: int
) -> tuple[list[pfs.CommitInfo], int]:
    """Return what can be told after `last`: up to the first commit that is not there yet."""
    infos = []
    query = "SELECT * FROM commits WHERE repo = ? AND key > ? ORDER BY key"
    for row in sql.execute(query, (repo, last)).fetchall():
        kind = request.origin_kind if not request.all else 0
        if request.branch in {"", row["branch"]} and kind in {0, row["origin"]}:
            if not _reached(sql, row, pfs.CommitState(request.state)):
                break
            infos.append(commits.info(sql, row))
        last = row["key"]
    return infos, last
