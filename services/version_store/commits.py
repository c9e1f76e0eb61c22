"""Commits: they are started, written to, and finished; a finished one never changes.

finish_commit sets `finishing`. `finished` follows in the same breath, unless the parent is still
open: then it follows when the parent finishes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from pachyderm_sdk.api import pfs

from services.version_store import names, references, trees
from services.version_store.database import Sql
from services.version_store.errors import StoreError
from services.version_store.references import Row
from services.version_store.store import Change, moment

_UPSTREAM = "SELECT upstream FROM commit_provenance WHERE downstream = ?"
_DOWNSTREAM = "SELECT downstream FROM commit_provenance WHERE upstream = ?"


def start(
    change: Change,
    repo: int,
    branch: str,
    parent: int | None,
    origin: pfs.OriginKind,
    upstream: Sequence[int] = (),
    description: str = "",
) -> int:
    """Make an open commit; return its key. A branch's head is the caller's business."""
    sql = change.sql
    if of_change(change, repo) is not None:
        name = names.of_repo(references.name_of_repo(sql, repo))
        raise StoreError(
            f"inconsistent dependencies: cannot create commit from {name}@{change.id}; repo "
            f"({name}) already has a commit in this transaction"
        )
    size = references.commit_at(sql, parent)["size"] if parent else 0
    diff = trees.new_layer(sql, repo)
    made = sql.execute(
        "INSERT INTO commits (repo, id, branch, parent, origin, description, started, diff, size)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (repo, change.id, branch, parent, int(origin), description, change.now, diff, size),
    )
    key = int(made.lastrowid or 0)
    sql.executemany("INSERT INTO commit_provenance VALUES (?, ?)", [(key, up) for up in upstream])
    return key


def of_change(change: Change, repo: int) -> int | None:
    """Return the commit that this change has made in `repo`, if any."""
    query = "SELECT key FROM commits WHERE repo = ? AND id = ?"
    row = change.sql.execute(query, (repo, change.id)).fetchone()
    return row["key"] if row else None


def stack(sql: Sql, row: Row) -> list[int]:
    """Return the layers of a commit's tree, which for an open one are its parent's and its own."""
    layers: list[int] = []
    while row is not None and row["stack"] is None:
        layers.insert(0, row["diff"])
        row = _base(sql, row)  # type: ignore[assignment]
    return [*(json.loads(row["stack"]) if row is not None else []), *layers]


def _base(sql: Sql, row: Row) -> Row | None:
    """Return the commit whose files this one starts with: the nearest that has no error."""
    parent = row["parent"]
    while parent is not None:
        found = references.commit_at(sql, parent)
        if not found["error"]:
            return found
        parent = found["parent"]
    return None


def finish(change: Change, key: int, *, error: str = "", description: str | None = None) -> None:
    """End the writing. An error finishes the commit at once, and no later one builds on it."""
    sql, row = change.sql, references.commit_at(change.sql, key)
    refuse_finished(sql, row)
    sql.execute(
        "UPDATE commits SET finishing = ?, error = ?, description = ? WHERE key = ?",
        (change.now, error, description or row["description"], key),
    )
    waiting = [key]
    while waiting:
        row = references.commit_at(sql, waiting.pop())
        if row["finishing"] is None or row["finished"] is not None:
            continue
        base = _base(sql, row)
        if not row["error"] and base is not None and base["finished"] is None:
            continue  # The parent is open. It comes back here when that finishes.
        _settle(change, row, stack(sql, base) if base is not None else [], base)
        waiting += children(sql, row["key"])


def _settle(change: Change, row: Row, below: list[int], base: Row | None) -> None:
    sql, error = change.sql, row["error"]
    if not error and (path := trees.collision(sql, below, row["diff"])):
        error = f"file / directory path collision ({path})"
    layers = [*below, row["diff"]]
    if not error:
        layers = trees.finish(sql, row["repo"], below, row["diff"])
    size = (base["size"] if base is not None else 0) + trees.growth(sql, below, row["diff"])
    sql.execute(
        "UPDATE commits SET finished = ?, error = ?, stack = ?, size = ? WHERE key = ?",
        (change.now, error, json.dumps(layers), size, row["key"]),
    )


def finish_named(change: Change, request: pfs.FinishCommitRequest) -> None:
    """Finish the commit that a request names."""
    row = references.commit(change.sql, request.commit)
    if not request.force and _is_of_pipeline(change.sql, row):
        raise StoreError("cannot finish a pipeline output or meta commit, use 'stop job' instead")
    finish(change, row["key"], error=request.error, description=request.description)


def _is_of_pipeline(sql: Sql, row: Row) -> bool:
    """Say whether a commit was made from others for a pipeline's job."""
    query = (
        "SELECT 1 FROM repos r JOIN pipelines p ON p.project = r.project AND p.name = r.name"
        " WHERE r.key = ? AND r.type IN ('user', 'meta')"
    )
    found = sql.execute(query, (row["repo"],)).fetchone()
    return found is not None and bool(upstream(sql, row["key"]))


def clear(change: Change, request: pfs.ClearCommitRequest) -> None:
    """Take back what was written into an open commit."""
    row = references.commit(change.sql, request.commit)
    if row["finishing"] is not None:
        raise StoreError("cannot clear finished commit")
    change.sql.execute("DELETE FROM entries WHERE layer = ?", (row["diff"],))


def refuse_finished(sql: Sql, row: Row) -> None:
    """Raise StoreError if a commit can no longer be written to."""
    if row["finishing"] is not None:
        name = names.of_commit(references.name_of_commit(sql, row["key"]))
        raise StoreError(f"commit {name} has already finished")


def children(sql: Sql, key: int) -> list[int]:
    """Return the commits that have this one as parent."""
    return [row[0] for row in sql.execute("SELECT key FROM commits WHERE parent = ?", (key,))]


def upstream(sql: Sql, key: int) -> list[int]:
    """Return the commits that this one was made from."""
    return [row[0] for row in sql.execute(_UPSTREAM, (key,))]


def downstream(sql: Sql, key: int) -> list[int]:
    """Return the commits that were made from this one."""
    return [row[0] for row in sql.execute(_DOWNSTREAM, (key,))]


def _named(sql: Sql, which: str, key: int) -> list[pfs.Commit]:
    """Return commits as the API names them, by one question: a spec's has one for each job."""
    rows = sql.execute(
        "SELECT c.id, c.branch, r.project, r.name, r.type"
        f" FROM commits c JOIN repos r ON r.key = c.repo WHERE {which} ORDER BY c.key",
        (key,),
    )
    return [references.commit_message(row, references.repo_message(row)) for row in rows]


def info(sql: Sql, row: Row) -> pfs.CommitInfo:
    """Return what the API says of a commit."""
    key = row["key"]
    made = pfs.CommitInfo(
        commit=references.commit_message(row, references.name_of_repo(sql, row["repo"])),
        origin=pfs.CommitOrigin(kind=pfs.OriginKind(row["origin"])),
        description=row["description"],
        child_commits=_named(sql, "c.parent = ?", key),
        started=moment(row["started"]),
        direct_provenance=_named(sql, f"c.key IN ({_UPSTREAM})", key),
        direct_subvenance=_named(sql, f"c.key IN ({_DOWNSTREAM})", key),
        error=row["error"],
        size_bytes_upper_bound=row["size"],
        created_at=moment(row["started"]),
        updated_at=moment(row["finished"] or row["finishing"] or row["started"]),
    )
    if row["parent"] is not None:
        made.parent_commit = references.name_of_commit(sql, row["parent"])
    if row["finishing"] is not None:
        made.finishing = moment(row["finishing"])
    if row["finished"] is not None:
        made.finished = moment(row["finished"])
        made.details = pfs.CommitInfoDetails(size_bytes=row["size"])
    return made


def every(sql: Sql, request: pfs.ListCommitRequest) -> Iterator[pfs.CommitInfo]:
    """Yield a repo's commits, the newest first; with `to`, that one and its ancestors."""
    repo = references.repo(sql, request.repo)["key"] if request.repo.name else None
    since = request.started_time.timestamp() * 1e6 if request.started_time.year > 1970 else None
    left = request.number or -1
    for row in _listed(sql, request, repo):
        if request.origin_kind and not request.all and row["origin"] != request.origin_kind:
            continue
        if since is not None and not (
            row["started"] > since if request.reverse else row["started"] < since
        ):
            continue
        yield info(sql, row)
        left -= 1
        if left == 0:
            return


def _listed(sql: Sql, request: pfs.ListCommitRequest, repo: int | None) -> Iterator[Row]:
    if not _given(request.to):
        if _given(request.from_):
            raise StoreError("cannot use `from` commit without `to` commit")
        order = "ASC" if request.reverse else "DESC"
        where = "" if repo is None else "WHERE repo = :repo"
        query = f"SELECT * FROM commits {where} ORDER BY key {order}"
        yield from sql.execute(query, {"repo": repo})
        return
    if request.reverse:
        raise StoreError("cannot use 'Reverse' while also using 'From' or 'To'")
    end = references.commit(sql, request.from_)["key"] if _given(request.from_) else None
    key = references.commit(sql, request.to)["key"]
    while key is not None and key != end:
        row = references.commit_at(sql, key)
        yield row
        key = row["parent"]


def _given(commit: pfs.Commit) -> bool:
    return bool(commit.id or commit.branch.name)
