"""What a job tells of itself: its log and its datums, to us and to the plain SDK."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pachyderm_sdk.api import pps

from tests.contract.conftest import PACHD
from tests.contract.working import COUNT, Site


def test_who_follows_a_job_reads_no_log_of_an_earlier_one(site: Site) -> None:
    site.put(a=b"1")
    site.apply("echo $PACH_JOB_ID a rather long first line; " + COUNT)
    job = site.pipelines.run("out", reprocess=True)
    followed = [line.text for line in site.pipelines.logs("out", job.id, follow=True)]
    assert followed == [f"{job.id} a rather long first line"]
    again = site.job(site.put(b=b"2"))
    (kept,) = (d for d in site.pipelines.datums("out", again.id) if d.inputs == ("/a",))
    told = [line.text for line in site.pipelines.logs("out", again.id, datum=kept.id[:8])]
    assert told == followed


def test_the_plain_sdk_sees_the_datums_of_a_job_and_of_ours_the_logs(
    site: Site, address: str
) -> None:
    client, project = site.store._at.client, site.store._at.project
    site.put(a=b"1", bad=b"2")
    job = site.apply("echo at $in; test $(basename $in) != bad || exit 7", datum_tries=1)
    named = pps.Job(pipeline=pps.Pipeline(project=project, name="out"), id=job.id)
    states = {each.data[0].file.path: each.state for each in client.pps.list_datum(job=named)}
    assert states == {"/a": pps.DatumState.SUCCESS, "/bad": pps.DatumState.FAILED}
    (failed,) = client.pps.list_datum(
        job=named, filter=pps.ListDatumRequestFilter(state=[pps.DatumState.FAILED])
    )
    assert client.pps.inspect_datum(datum=failed.datum).state == pps.DatumState.FAILED
    if address != PACHD:  # Which asks Kubernetes for logs; see pipelines.py for the other way.
        said = [line.message for line in client.pps.get_logs(job=named, datum=failed.datum)]
        assert said[0].startswith("at ")
        assert "exit code 7" in said[-1]
        assert len(list(client.pps.get_logs(job=named))) == 3
        (last,) = client.pps.get_logs(pipeline=named.pipeline, datum=failed.datum, tail=1)
        assert "exit code 7" in last.message
    mended = site.job(site.put(bad=None))
    again = pps.Job(pipeline=named.pipeline, id=mended.id)
    (skipped,) = client.pps.list_datum(job=again)
    assert skipped.state == pps.DatumState.SKIPPED


@pytest.mark.parametrize("address", ["version_store"], indirect=True)  # pachd asks Kubernetes.
def test_logs_are_followed_while_a_job_runs(site: Site, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    site.put(a=b"1")
    spec = {
        "pipeline": {"name": "out"},
        "input": {"pfs": {"name": "in", "repo": "in", "glob": "/*"}},
        "transform": {"cmd": ["sh"], "stdin": ["echo first", f"cat {pipe}", "echo last"]},
    }
    site.pipelines.apply([spec])
    client, project = site.store._at.client, site.store._at.project
    job = pps.Job(
        pipeline=pps.Pipeline(project=project, name="out"), id=site.pipelines.jobs("out", 1)[0].id
    )
    told = client.pps.get_logs(job=job, follow=True)
    assert next(told).message == "first"  # The job still waits for the pipe.
    pipe.write_text("second\n")
    assert [line.message for line in told] == ["second", "last"]
