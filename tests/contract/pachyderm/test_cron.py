"""Cron inputs: ticks by hand on each server; by the clock on ours, as pachd needs Kubernetes."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, pps

from services.pipeline_runner.datums import listable
from services.version_store.cron import after
from services.version_store.errors import StoreError
from tests.contract.pachyderm.calls import UNKNOWN, at, refused
from tests.contract.pachyderm.server import Server

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def ticking(client: Client, project: pfs.Project, spec: str, **more) -> pps.Pipeline:
    made = pps.Pipeline(project=project, name="out")
    client.pps.create_pipeline(
        pipeline=made,
        transform=pps.Transform(cmd=["true"]),
        input=pps.Input(cron=pps.CronInput(name="tick", spec=spec, **more)),
    )
    return made


def ticks(client: Client, project: pfs.Project) -> list[str]:
    repo = pfs.Repo(name="out_tick", type="user", project=project)
    return [info.file.path for info in client.pfs.walk_file(file=pfs.File(at(repo), path="/"))][1:]


def test_a_tick_by_hand_opens_a_job_with_a_datum(client: Client, project: pfs.Project) -> None:
    pipeline = ticking(client, project, "0 0 1 1 *")
    client.pps.run_cron(pipeline=pipeline)
    (tick,) = ticks(client, project)
    datetime.fromisoformat(tick.lstrip("/"))
    given = next(client.pps.list_job(pipeline=pipeline, details=True)).details.input
    with refused(UNKNOWN, "can't list datums with a cron input"):
        list(client.pps.list_datum(input=given))
    (datum,) = client.pps.list_datum(input=listable(given))
    assert datum.data[0].file.path == tick


def test_overwrite_keeps_the_newest_tick_only(client: Client, project: pfs.Project) -> None:
    pipeline = ticking(client, project, "0 0 1 1 *", overwrite=True)
    client.pps.run_cron(pipeline=pipeline)
    client.pps.run_cron(pipeline=pipeline)
    assert len(ticks(client, project)) == 1


def test_a_spec_that_is_none_is_refused(client: Client, project: pfs.Project) -> None:
    with refused(UNKNOWN, "error parsing cron-spec"):
        ticking(client, project, "often")


def test_the_clock_ticks_and_what_was_missed_while_stopped_is_made_up(tmp_path: Path) -> None:
    server = Server(tmp_path / "folder")
    client = Client.from_pachd_address(server.address)
    project = pfs.Project(name="clock")
    client.pfs.create_project(project=project)
    repo = pfs.Repo(name="out_tick", type="user", project=project)
    ticking(client, project, "@every 1s")
    commits = client.pfs.subscribe_commit(
        repo=repo, branch="master", state=pfs.CommitState.FINISHED, all=True, origin_kind=0
    )
    first = [next(commits) for _ in range(3)]  # The empty one that the pipeline began with, and 2.
    assert len({info.commit.id for info in first}) == 3
    before = ticks(client, project)
    server.kill()
    server.start()
    again = client.pfs.subscribe_commit(
        repo=repo,
        branch="master",
        state=pfs.CommitState.FINISHED,
        all=True,
        origin_kind=0,
        from_=pfs.Commit(repo=repo, id=first[-1].commit.id),
    )
    next(again)
    later = ticks(client, project)
    assert later[: len(before)] == before
    made = [datetime.fromisoformat(tick.lstrip("/")) for tick in later]
    assert all((b - a).total_seconds() == 1 for a, b in pairwise(made))
    client.pps.stop_pipeline(pipeline=pps.Pipeline(project=project, name="out"))
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("spec", "seconds"),
    [
        ("@every 90s", 90),
        ("@every 1h30m", 5400),
        ("*/5 * * * *", 300),
        ("@daily", 12 * 3600),
        ("30 12 * * *", 1800),
    ],
)
def test_the_next_tick(spec: str, seconds: int) -> None:
    assert (after(spec, NOON) - NOON).total_seconds() == seconds


@pytest.mark.parametrize("spec", ["", "@every", "@every 5", "61 * * * *"])
def test_what_is_no_spec(spec: str) -> None:
    with pytest.raises(StoreError, match="error parsing cron-spec"):
        after(spec, NOON)
