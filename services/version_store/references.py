"""References: the rows that a request's names mean, and the names of rows."""

from __future__ import annotations

import re
import sqlite3

from pachyderm_sdk.api import pfs

from services.version_store import names
from services.version_store.database import Sql
from services.version_store.errors import StoreError, missing

Row = sqlite3.Row

# `master`, `master^2`, `<id>^^`, `master.1` (counted from the first commit).
_ANCESTRY = re.compile(r"([^.^~]+)(?:((?:[\^~]\d*)+)|\.(\d+))?")


def project(sql: Sql, name: str) -> str:
    """Return the name of a project that is there, or raise NOT_FOUND."""
    name = name or "default"
    if not sql.execute("SELECT 1 FROM projects WHERE name = ?", (name,)).fetchone():
        raise missing(f'project "{name}" not found')
    return name


def try_repo(sql: Sql, repo: pfs.Repo) -> Row | None:
    """Return a repo's row, if it is there."""
    row: Row | None = sql.execute(
        "SELECT * FROM repos WHERE project = ? AND name = ? AND type = ?",
        (repo.project.name or "default", repo.name, repo.type or "user"),
    ).fetchone()
    return row


def repo(sql: Sql, named: pfs.Repo) -> Row:
    """Return a repo's row, or raise NOT_FOUND."""
    if (row := try_repo(sql, named)) is None:
        raise missing(f"repo {names.of_repo(named)} not found")
    return row


def try_branch(sql: Sql, repo_key: int, name: str) -> Row | None:
    """Return a branch's row, if it is there."""
    query = "SELECT * FROM branches WHERE repo = ? AND name = ?"
    row: Row | None = sql.execute(query, (repo_key, name)).fetchone()
    return row


def branch(sql: Sql, named: pfs.Branch) -> Row:
    """Return a branch's row, or raise NOT_FOUND."""
    row = try_branch(sql, repo(sql, named.repo)["key"], named.name)
    if row is None:
        raise missing(f'branch "{named.name}" not found in repo {names.of_repo(named.repo)}')
    return row


def commit_at(sql: Sql, key: int) -> Row:
    """Return the row of the commit with this key."""
    row: Row = sql.execute("SELECT * FROM commits WHERE key = ?", (key,)).fetchone()
    return row


def commit(sql: Sql, named: pfs.Commit) -> Row:
    """Return the row of a commit given by id or branch, with `^n` and `.n`; or raise NOT_FOUND."""
    owner = named.repo if named.repo.name else named.branch.repo
    reference = named.id or named.branch.name
    if not reference:
        raise StoreError("cannot resolve commit with no ID or branch")
    parsed = _ANCESTRY.fullmatch(reference)
    if not parsed:
        raise StoreError(f"cannot parse commit {names.of_commit(named)}")
    base, back, nth = parsed.groups()
    repo_row = repo(sql, owner)
    if names.is_commit_id(base):
        row = _by_id(sql, repo_row["key"], base)
    else:
        row = commit_at(sql, branch(sql, pfs.Branch(repo=owner, name=base))["head"])
    if row is not None and (back or nth):
        row = _ancestor(sql, row, back, nth)
    if row is None:
        raise missing(f"commit {names.of_commit(named)} not found")
    return row


def _by_id(sql: Sql, repo_key: int, name: str) -> Row | None:
    """Return the repo's commit of this set, else the one that the set's commits stem from."""
    row: Row | None = sql.execute(
        "SELECT * FROM commits WHERE repo = ? AND id = ?", (repo_key, name)
    ).fetchone()
    if row is None:
        row = sql.execute(
            "WITH RECURSIVE origin(key) AS (SELECT key FROM commits WHERE id = ? UNION"
            " SELECT p.upstream FROM origin o JOIN commit_provenance p ON p.downstream = o.key)"
            " SELECT c.* FROM origin o JOIN commits c ON c.key = o.key WHERE c.repo = ?",
            (name, repo_key),
        ).fetchone()
    return row


def _ancestor(sql: Sql, row: Row, back: str | None, nth: str | None) -> Row | None:
    steps = sum(int(n or 1) for n in re.findall(r"[\^~](\d*)", back or ""))
    line = sql.execute(
        "WITH RECURSIVE line(key, parent, n) AS ("
        " SELECT key, parent, 0 FROM commits WHERE key = ? UNION ALL"
        " SELECT c.key, c.parent, n + 1 FROM line JOIN commits c ON c.key = line.parent)"
        " SELECT key FROM line ORDER BY n",
        (row["key"],),
    ).fetchall()
    at = len(line) - int(nth) if nth else steps
    return commit_at(sql, line[at][0]) if 0 <= at < len(line) else None


def name_of_repo(sql: Sql, key: int) -> pfs.Repo:
    """Return the repo with this key."""
    return repo_message(sql.execute("SELECT * FROM repos WHERE key = ?", (key,)).fetchone())


def repo_message(row: Row) -> pfs.Repo:
    """Return a repo's row as the API names it."""
    return pfs.Repo(name=row["name"], type=row["type"], project=pfs.Project(name=row["project"]))


def name_of_branch(sql: Sql, key: int) -> pfs.Branch:
    """Return the branch with this key."""
    row = sql.execute("SELECT repo, name FROM branches WHERE key = ?", (key,)).fetchone()
    return pfs.Branch(repo=name_of_repo(sql, row["repo"]), name=row["name"])


def name_of_commit(sql: Sql, key: int) -> pfs.Commit:
    """Return the commit with this key."""
    row = commit_at(sql, key)
    return commit_message(row, name_of_repo(sql, row["repo"]))


def commit_message(row: Row, owner: pfs.Repo) -> pfs.Commit:
    """Return a commit's row as the API names it."""
    return pfs.Commit(repo=owner, id=row["id"])  # As pachd does: a branch is only where it is.
