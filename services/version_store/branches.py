"""Branches: names for commits, and the provenance that starts commits downstream."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from pachyderm_sdk.api import pfs

from services.version_store import commits, names, references
from services.version_store.database import Sql
from services.version_store.errors import StoreError, unimplemented
from services.version_store.references import Row
from services.version_store.store import Change, moment

_UP = ("upstream", "downstream")
_DOWN = ("downstream", "upstream")


def _direct(sql: Sql, key: int, way: tuple[str, str] = _UP) -> list[int]:
    query = f"SELECT {way[0]} FROM branch_provenance WHERE {way[1]} = ? ORDER BY {way[0]}"
    return [row[0] for row in sql.execute(query, (key,))]


def _all(sql: Sql, key: int, way: tuple[str, str]) -> list[int]:
    query = (
        f"WITH RECURSIVE reached(key) AS (SELECT {way[0]} FROM branch_provenance WHERE {way[1]} = ?"
        f" UNION SELECT p.{way[0]} FROM reached r JOIN branch_provenance p ON p.{way[1]} = r.key)"
        " SELECT key FROM reached"
    )
    return [row[0] for row in sql.execute(query, (key,))]


def _head(sql: Sql, key: int) -> int:
    return int(sql.execute("SELECT head FROM branches WHERE key = ?", (key,)).fetchone()[0])


def move(change: Change, repo: int, name: str, head: int) -> int:
    """Point a branch at `head`, making it if need be; return its key."""
    row = change.sql.execute(
        "INSERT INTO branches (repo, name, head, created, updated) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET head = excluded.head, updated = excluded.updated"
        " RETURNING key",
        (repo, name, head, change.now, change.now),
    ).fetchone()
    return int(row["key"])


def start_commit(change: Change, request: pfs.StartCommitRequest) -> pfs.Commit:
    """Start a commit on a branch, which is made if need be, and point the branch at it."""
    sql, named = change.sql, request.branch
    if not named.name:
        raise StoreError("branch must be specified")
    names.check("branch", named.name)
    repo = references.repo(sql, named.repo)["key"]
    branch = references.try_branch(sql, repo, named.name)
    if branch and _direct(sql, branch["key"]):
        raise StoreError(f"cannot start a commit on an output branch: {names.of_branch(named)}")
    parent = branch["head"] if branch else None
    if request.parent.id or request.parent.branch.name:
        parent = references.commit(sql, request.parent)["key"]
    if parent is not None and references.commit_at(sql, parent)["finishing"] is None:
        name = names.of_commit(references.name_of_commit(sql, parent))
        raise StoreError(f"parent commit {name} has not been finished")
    made = commits.start(
        change, repo, named.name, parent, pfs.OriginKind.USER, description=request.description
    )
    change.moved.append(move(change, repo, named.name, made))
    return references.name_of_commit(sql, made)


def create(change: Change, request: pfs.CreateBranchRequest) -> None:
    """Make a branch, or change its head or its provenance; both start commits downstream."""
    if request.trigger.branch:
        raise unimplemented("A branch's trigger")
    sql, branch = change.sql, request.branch
    repo = references.repo(sql, branch.repo)["key"]
    for named in (branch, *request.provenance):
        names.check("branch", named.name)
    # Each once: several inputs may read one branch.
    upstream = list(dict.fromkeys(_input(change, repo, named) for named in request.provenance))
    old = references.try_branch(sql, repo, branch.name)
    before = _direct(sql, old["key"]) if old else []
    head = old["head"] if old else None
    moved = bool(request.head.id or request.head.branch.name)
    if moved:
        head = _wanted_head(sql, repo, request)
    if head is None or (upstream and sorted(upstream) != before):
        head = _auto_commit(change, repo, branch.name, head, upstream)
        moved = True
    key = move(change, repo, branch.name, head)
    sql.execute("DELETE FROM branch_provenance WHERE downstream = ?", (key,))
    rows = [(key, up) for up in set(upstream)]
    sql.executemany("INSERT INTO branch_provenance (downstream, upstream) VALUES (?, ?)", rows)
    if key in _all(sql, key, _UP):
        raise StoreError(
            f"branch {names.of_branch(branch)} cannot be in its own provenance: cycle detected",
            grpc.StatusCode.INTERNAL,
        )
    if moved:
        change.moved.append(key)


def _wanted_head(sql: Sql, repo: int, request: pfs.CreateBranchRequest) -> int:
    head = request.head
    if not (head.repo.name or head.branch.repo.name):
        head.repo = request.branch.repo
    found = references.commit(sql, head)
    if found["repo"] != repo:
        raise StoreError(
            f"branch {names.of_branch(request.branch)} and its head {names.of_commit(head)} must "
            "belong to the same repo"
        )
    return int(found["key"])


def _input(change: Change, repo: int, branch: pfs.Branch) -> int:
    """Return the key of a branch in some provenance; if need be it is made, and is empty."""
    own = references.repo(change.sql, branch.repo)["key"]
    if own == repo:
        name = names.of_repo(branch.repo)
        raise StoreError(f"repo {name} cannot be in the provenance of its own branch")
    if row := references.try_branch(change.sql, own, branch.name):
        return int(row["key"])
    head = commits.of_change(change, own)
    if head is None:
        head = _auto_commit(change, own, branch.name, None, [])
    return move(change, own, branch.name, head)


def empty_head(change: Change, row: Row) -> int:
    """Return a new first commit for a branch that lost its only one."""
    return _auto_commit(change, row["repo"], row["name"], None, _direct(change.sql, row["key"]))


def _auto_commit(
    change: Change, repo: int, name: str, parent: int | None, upstream: list[int]
) -> int:
    """Start a commit made from the heads of `upstream`; without any it is finished, and empty."""
    heads = [_head(change.sql, key) for key in upstream]
    made = commits.start(change, repo, name, parent, pfs.OriginKind.AUTO, heads)
    if not upstream:
        commits.finish(change, made)
    return made


def propagate(change: Change) -> None:
    """Start a commit on every branch downstream of those that moved, upstream ones first."""
    sql = change.sql
    reached = {key for moved in change.moved for key in _all(sql, moved, _DOWN)}
    for key in sorted(reached, key=lambda key: (len(_all(sql, key, _UP)), key)):
        row = sql.execute("SELECT * FROM branches WHERE key = ?", (key,)).fetchone()
        if references.commit_at(sql, row["head"])["id"] == change.id:
            continue  # Made by this very change.
        upstream = _direct(sql, key)
        made = _auto_commit(change, row["repo"], row["name"], row["head"], upstream)
        move(change, row["repo"], row["name"], made)


def _info(sql: Sql, row: Row) -> pfs.BranchInfo:
    def named(keys: list[int]) -> list[pfs.Branch]:
        return [references.name_of_branch(sql, key) for key in keys]

    return pfs.BranchInfo(
        branch=references.name_of_branch(sql, row["key"]),
        head=references.name_of_commit(sql, row["head"]),
        provenance=named(_all(sql, row["key"], _UP)),
        subvenance=named(_all(sql, row["key"], _DOWN)),
        direct_provenance=named(_direct(sql, row["key"])),
        created_at=moment(row["created"]),
        updated_at=moment(row["updated"]),
    )


def inspect(sql: Sql, request: pfs.InspectBranchRequest) -> pfs.BranchInfo:
    """Return one branch."""
    return _info(sql, references.branch(sql, request.branch))


def every(sql: Sql, request: pfs.ListBranchRequest) -> Iterator[pfs.BranchInfo]:
    """Yield the branches of a repo, or of all, the newest first."""
    repo = references.repo(sql, request.repo)["key"] if request.repo.name else None
    where = "" if repo is None else "WHERE repo = :repo"
    order = "ASC" if request.reverse else "DESC"
    query = f"SELECT * FROM branches {where} ORDER BY key {order}"
    for row in sql.execute(query, {"repo": repo}):
        yield _info(sql, row)


def delete(change: Change, request: pfs.DeleteBranchRequest) -> None:
    """Delete a branch, if it is there; its commits stay."""
    sql = change.sql
    repo = references.repo(sql, request.branch.repo)["key"]
    row = references.try_branch(sql, repo, request.branch.name)
    if row is None:
        return
    key = row["key"]
    downstream = [
        names.of_branch(references.name_of_branch(sql, other)) for other in _direct(sql, key, _DOWN)
    ]
    if downstream and not request.force:
        raise StoreError(
            f"branch {names.of_branch(request.branch)} cannot be deleted because it's in the "
            f"direct provenance of {', '.join(downstream)}"
        )
    sql.execute("DELETE FROM branch_provenance WHERE upstream = ? OR downstream = ?", (key, key))
    sql.execute("DELETE FROM branches WHERE key = ?", (key,))
