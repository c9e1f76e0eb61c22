"""Repos: they hold branches and commits. Users' repos have type `user`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from pachyderm_sdk.api import pfs

from services.version_store import names, references, trees
from services.version_store.database import Sql
from services.version_store.errors import StoreError, exists
from services.version_store.references import Row
from services.version_store.store import Change, moment


def of_projects(sql: Sql, wanted: Collection[str] = ()) -> list[Row]:
    """Return the repos of these projects, or of all, the newest first."""
    rows = sql.execute("SELECT * FROM repos ORDER BY key DESC").fetchall()
    return [row for row in rows if not wanted or row["project"] in wanted]


def create(change: Change, request: pfs.CreateRepoRequest) -> None:
    """Make a repo, or with `update` change its description."""
    repo = request.repo
    project = references.project(change.sql, repo.project.name)
    names.check("repo", repo.name)
    if row := references.try_repo(change.sql, repo):
        if not request.update:
            raise exists(f"repo {names.of_repo(repo)} already exists")
        query = "UPDATE repos SET description = ? WHERE key = ?"
        change.sql.execute(query, (request.description, row["key"]))
        return
    change.sql.execute(
        "INSERT INTO repos (project, name, type, description, created) VALUES (?, ?, ?, ?, ?)",
        (project, repo.name, repo.type or "user", request.description, change.now),
    )


def inspect(sql: Sql, request: pfs.InspectRepoRequest) -> pfs.RepoInfo:
    """Return one repo, with its size."""
    info = _info(sql, references.repo(sql, request.repo))
    info.details = pfs.RepoInfoDetails(size_bytes=info.size_bytes_upper_bound)
    return info


def _info(sql: Sql, row: Row) -> pfs.RepoInfo:
    """Return what the API says of a repo; its size is that of master."""
    repo = references.repo_message(row)
    heads = sql.execute(
        "SELECT b.name, c.size FROM branches b JOIN commits c ON c.key = b.head"
        " WHERE b.repo = ? ORDER BY b.key",
        (row["key"],),
    ).fetchall()
    return pfs.RepoInfo(
        repo=repo,
        created=moment(row["created"]),
        description=row["description"],
        size_bytes_upper_bound=next((size for name, size in heads if name == "master"), 0),
        branches=[pfs.Branch(repo=repo, name=name) for name, _ in heads],
    )


def every(sql: Sql, request: pfs.ListRepoRequest) -> Iterator[pfs.RepoInfo]:
    """Yield repos, the newest first, or a page of them by name."""
    rows = of_projects(sql, [project.name for project in request.projects])
    rows = [row for row in rows if request.type in {"", row["type"]}]
    if size := request.page.page_size:
        rows.sort(key=lambda row: (row["project"], row["name"]))
        rows = rows[request.page.page_index * size :][:size]
    for row in rows:
        yield _info(sql, row)


def delete(change: Change, request: pfs.DeleteRepoRequest) -> pfs.DeleteRepoResponse:
    """Delete a repo; one that is not there is no error."""
    row = references.try_repo(change.sql, request.repo)
    if row is not None:
        delete_all(change, [row], force=request.force)
    return pfs.DeleteRepoResponse(deleted=row is not None)


def delete_many(change: Change, request: pfs.DeleteReposRequest) -> pfs.DeleteReposResponse:
    """Delete the repos of some projects, or with `all` of every one."""
    wanted = [project.name for project in request.projects]
    rows = of_projects(change.sql, wanted) if wanted or request.all else []
    delete_all(change, rows, force=request.force)
    return pfs.DeleteReposResponse(repos=[references.repo_message(row) for row in rows])


def delete_all(change: Change, rows: Sequence[Row], *, force: bool) -> None:
    """Delete repos; without `force`, none that a repo outside of them depends on."""
    gone = {row["key"] for row in rows}
    if not force:
        for row in rows:
            _refuse_if_needed(change.sql, row, gone)
    for row in rows:
        _delete(change.sql, row["key"])
    change.garbage = True


def _refuse_if_needed(sql: Sql, row: Row, gone: set[int]) -> None:
    query = (
        "SELECT b.name, d.repo, d.key FROM branches b JOIN branch_provenance p"
        " ON p.upstream = b.key JOIN branches d ON d.key = p.downstream WHERE b.repo = ?"
    )
    for name, other, downstream in sql.execute(query, (row["key"],)).fetchall():
        if other not in gone:
            repo = references.repo_message(row)
            branch = names.of_branch(pfs.Branch(repo=repo, name=name))
            raise StoreError(
                f"repo {names.of_repo(repo)}: branch {branch} cannot be deleted because it's in "
                f"the direct provenance of "
                f"{names.of_branch(references.name_of_branch(sql, downstream))}"
            )


def _delete(sql: Sql, key: int) -> None:
    for table, owner in (("branch_provenance", "branches"), ("commit_provenance", "commits")):
        mine = f"(SELECT key FROM {owner} WHERE repo = ?)"
        where = f"upstream IN {mine} OR downstream IN {mine}"
        sql.execute(f"DELETE FROM {table} WHERE {where}", (key, key))
    sql.execute("DELETE FROM branches WHERE repo = ?", (key,))
    sql.execute("DELETE FROM commits WHERE repo = ?", (key,))
    trees.sweep(sql, key)
    sql.execute("DELETE FROM repos WHERE key = ?", (key,))
