"""Specs: what a pipeline is at each of its versions."""

from __future__ import annotations

from pachyderm_sdk.api import pfs, pps

from services.version_store.database import Sql
from services.version_store.errors import missing
from services.version_store.references import Row


def newest(sql: Sql, named: pps.Pipeline) -> Row | None:
    """Return the row of a pipeline's newest version, if there is such a pipeline."""
    row: Row | None = sql.execute(
        "SELECT * FROM pipelines WHERE project = ? AND name = ? ORDER BY version DESC LIMIT 1",
        (named.project.name or "default", named.name),
    ).fetchone()
    return row


def get(sql: Sql, named: pps.Pipeline) -> Row:
    """Return the row of a pipeline's newest version, or raise NOT_FOUND."""
    if (row := newest(sql, named)) is None:
        raise missing(f'pipeline "{name_of(named)}" not found')
    return row


def newest_version(sql: Sql, project: str, name: str) -> int:
    """Return the version that a pipeline is at; 0 where there is none."""
    row = newest(sql, pps.Pipeline(project=pfs.Project(name=project), name=name))
    return int(row["version"]) if row is not None else 0


def at_version(sql: Sql, named: pps.Pipeline, version: int) -> pps.PipelineInfo:
    """Return a pipeline as it was at one version, or raise NOT_FOUND."""
    row = sql.execute(
        "SELECT * FROM pipelines WHERE project = ? AND name = ? AND version = ?",
        (named.project.name or "default", named.name, version),
    ).fetchone()
    if row is None:
        raise missing(f'pipeline "{name_of(named)}" has no version {version}')
    return info(row)


def info(row: Row) -> pps.PipelineInfo:
    """Return what a row holds."""
    made: pps.PipelineInfo = pps.PipelineInfo().parse(row["info"])
    return made


def name_of(named: pps.Pipeline) -> str:
    """Return e.g. `xray/images`."""
    return f"{named.project.name or 'default'}/{named.name}"
