"""Projects: they hold repos."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from pachyderm_sdk.api import pfs

from services.version_store import names, references, repos
from services.version_store.database import Sql
from services.version_store.errors import StoreError, exists
from services.version_store.store import Change, moment


def create(change: Change, request: pfs.CreateProjectRequest) -> None:
    """Make a project, or with `update` change its description."""
    name = request.project.name
    names.check("project", name)
    if change.sql.execute("SELECT 1 FROM projects WHERE name = ?", (name,)).fetchone():
        if not request.update:
            raise exists(f"project {name} already exists")
        query = "UPDATE projects SET description = ? WHERE name = ?"
        change.sql.execute(query, (request.description, name))
        return
    row = (name, request.description, change.now)
    change.sql.execute("INSERT INTO projects VALUES (?, ?, ?)", row)


def inspect(sql: Sql, request: pfs.InspectProjectRequest) -> pfs.ProjectInfo:
    """Return one project."""
    name = references.project(sql, request.project.name)
    return next(info for info in every(sql) if info.project.name == name)


def every(sql: Sql) -> Iterator[pfs.ProjectInfo]:
    """Yield all projects by name."""
    for name, description, created in sql.execute("SELECT * FROM projects ORDER BY name"):
        project = pfs.Project(name=name)
        yield pfs.ProjectInfo(project=project, description=description, created_at=moment(created))


def delete(change: Change, request: pfs.DeleteProjectRequest) -> None:
    """Delete an empty project, or with `force` one with all its repos."""
    name = references.project(change.sql, request.project.name)
    held = repos.of_projects(change.sql, [name])
    if held and not request.force:
        listed = ", ".join(names.of_repo(references.repo_message(row)) for row in held)
        raise StoreError(
            f"cannot delete project {name}: it still has repos: {listed}",
            grpc.StatusCode.FAILED_PRECONDITION,
        )
    for table in ("pipelines", "jobs"):
        change.sql.execute(f"DELETE FROM {table} WHERE project = ?", (name,))
    repos.delete_all(change, held, force=True)
    change.sql.execute("DELETE FROM projects WHERE name = ?", (name,))
