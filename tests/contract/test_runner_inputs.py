"""What a datum sees of the inputs of its pipeline."""

from __future__ import annotations

from typing import Any

import pytest
from pachyderm_sdk.api import pps

from tests.contract.working import Site, counts

LISTED = "cd $CHEXNET_PFS; find . -type f ! -path './out/*' | sort > out/$PACH_DATUM_ID"


def listings(site: Site) -> list[list[str]]:
    """What each datum saw, by input."""
    return sorted(data.decode().split() for data in site.files().values())


def reads(name: str, **more: Any) -> dict[str, Any]:
    return {"pfs": {"name": name, "repo": "in", "glob": "/(*)-(*)", **more}}


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        (
            {"group": [reads("rows", group_by="$1")]},
            [["./rows/a-1", "./rows/a-2"], ["./rows/b-1"]],
        ),
        (
            {"join": [reads("x", join_on="$1"), reads("y", glob="/(*)-1", join_on="$1")]},
            [["./x/a-1", "./y/a-1"], ["./x/a-2", "./y/a-1"], ["./x/b-1", "./y/b-1"]],
        ),
        (
            {
                "join": [
                    reads("x", glob="/(*)-2", join_on="$1"),
                    reads("y", glob="/(*)-1", join_on="$1", outer_join=True),
                ]
            },
            [["./x/a-2", "./y/a-1"], ["./y/b-1"]],
        ),
        (
            {"union": [reads("x", glob="/a-*"), reads("y", glob="/*-1")]},
            [["./x/a-1"], ["./x/a-2"], ["./y/a-1"], ["./y/b-1"]],
        ),
    ],
    ids=["group", "join", "outer join", "union"],
)
def test_files_of_one_repo_come_under_their_inputs_names(
    site: Site, given: dict[str, Any], seen: list[list[str]]
) -> None:
    site.put(**{"a-1": b"1", "a-2": b"2", "b-1": b"3"})
    job = site.apply(LISTED, input=given)
    assert job.state == "success", job.reason
    assert listings(site) == seen


def test_a_tick_runs_the_files_that_it_is_crossed_with(site: Site) -> None:
    site.put(**{"a-1": b"1"})
    cron = {"cron": {"name": "tick", "spec": "@yearly"}}
    site.apply(LISTED, input={"cross": [reads("x"), cron]})
    client, project = site.store._at.client, site.store._at.project
    client.pps.run_cron(pipeline=pps.Pipeline(project=project, name="out"))
    job = site.newest()
    assert (job.state, counts(job)) == ("success", (1, 0, 0, 0)), job.reason
    ((tick, film),) = listings(site)
    assert tick.startswith("./tick/2")
    assert film == "./x/a-1"
