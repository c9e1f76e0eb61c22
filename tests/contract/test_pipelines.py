"""Pipelines as this project uses them, against each server; the tests do the worker's part."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pachyderm_sdk.api import pfs, pps

from chexnet.adapters.pachyderm import Job, PachydermPipelines
from chexnet.errors import ConfigError, NotFound, Refused, Unavailable
from tests.contract.jobs import Site, spec

NOBODY = "0" * 32


@pytest.fixture
def site(address: str, project: pfs.Project) -> Site:
    return Site(address, project.name)


def test_pipelines_are_created_once_and_then_brought_to_their_specs(site: Site) -> None:
    apply = site.pipelines.apply
    assert apply([spec()], dry_run=True) == {"out": "created"}
    assert site.pipelines.every() == []
    assert apply([spec()]) == {"out": "created"}
    assert apply([spec()]) == {"out": "unchanged"}
    assert apply([spec(description="told")], dry_run=True) == {"out": "updated"}
    assert site.pipelines.every()[0].description == ""
    assert apply([spec(description="told")]) == {"out": "updated"}
    assert site.pipelines.every()[0].description == "told"


@pytest.mark.parametrize(
    ("change", "anew"),
    [
        ({"description": "told"}, False),
        ({"datum_tries": 2}, False),
        ({"transform": {"cmd": ["false"]}}, True),
        ({"input": {"pfs": {"name": "in", "repo": "in", "glob": "/"}}}, True),
        ({"metadata": {"annotations": {"code": "2"}}}, True),
    ],
    ids=["description", "tries", "transform", "input", "what the transform runs"],
)
def test_only_what_decides_the_output_makes_all_datums_run_anew(
    site: Site, change: dict[str, Any], anew: bool
) -> None:
    site.pipelines.apply([spec()])
    before = site.salt()
    site.pipelines.apply([spec(**change)])
    assert (site.salt() != before) is anew


def test_repos_that_are_read_are_made_where_they_are_missing(site: Site) -> None:
    cross = {"cross": [{"pfs": {"repo": name, "glob": "/"}} for name in ("one", "in")]}
    made = [
        spec("first", input=cross),
        spec("second", input={"pfs": {"repo": "first", "glob": "/"}}),
    ]
    assert site.pipelines.apply(made) == {"first": "created", "second": "created"}
    found = {each.name: each.reads for each in site.pipelines.every()}
    assert found == {"first": ("one@master", "in@master"), "second": ("first@master",)}
    assert list(found) == ["first", "second"]  # Upstream ones first,
    site.pipelines.run("first")
    assert [each.name for each in site.pipelines.every()] == ["first", "second"]  # also later.
    assert site.store.write("one", {"/b": b""})


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"colour": "red"}, "colour"),
        ({"transform": {"cmd": "true"}}, r"transform\.cmd"),
        ({"transform": ["true"]}, r"transform|pipeline"),
        (
            {"input": {"cross": [{"pfs": {"repo": "in", "blob": "/"}}]}},
            r"input\.cross\.0\.pfs\.blob",
        ),
        ({"datum_tries": "many"}, "many"),
    ],
    ids=["unknown", "text for a list", "a list for fields", "unknown within", "no number"],
)
def test_a_spec_that_is_none_is_refused_by_the_name_of_the_field(
    site: Site, wrong: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError, match=f"Received: .*({named}).*'out'"):
        site.pipelines.apply([spec(**wrong)])
    assert site.pipelines.every() == []


def test_a_spec_that_the_server_refuses_is_told_in_its_words(site: Site) -> None:
    unnamed = {"pfs": {"repo": "out", "glob": "/"}}
    with pytest.raises(ConfigError, match=r"Received: late, .*input cannot be named out"):
        site.pipelines.apply([spec(), spec("late", input=unnamed)])


def test_each_commit_opens_a_job_of_its_id_and_a_deferred_branch_none(site: Site) -> None:
    site.pipelines.apply([spec(), spec("late", "cut")])
    before = site.pipelines.jobs("late")
    commit = site.store.write("in", {"/b": b"2"})
    assert site.pipelines.jobs("out", 1)[0].id == commit
    assert site.pipelines.jobs("late") == before


def test_branches_that_move_as_one_open_one_job(site: Site) -> None:
    other = {"pfs": {"name": "other", "repo": "other", "branch": "cut", "glob": "/"}}
    here = {"pfs": {"name": "in", "repo": "in", "branch": "cut", "glob": "/"}}
    site.pipelines.apply([spec("late", input={"cross": [here, other]})])
    before = {job.id for job in site.pipelines.jobs("late")}
    heads = {("in", "cut"): site.first, ("other", "cut"): site.store.write("other", {"/c": b"3"})}
    opened = site.pipelines.move(heads)
    assert {job.id for job in site.pipelines.jobs("late")} - before == {opened}
    for (repo, branch), head in heads.items():
        assert site.pipelines.branch(repo, branch) == head
    assert site.pipelines.branch("in", "nope") is None


def test_a_branch_and_a_file_that_change_as_one_open_one_job(site: Site) -> None:
    params = {"pfs": {"name": "params", "repo": "params", "glob": "/"}}
    here = {"pfs": {"name": "in", "repo": "in", "branch": "cut", "glob": "/"}}
    site.pipelines.apply([spec("late", input={"cross": [here, params]})])
    at = site.pipelines._at
    left = at.client.pfs.start_commit(branch=at.branch("params"))  # Whoever did it was killed.
    before = {job.id for job in site.pipelines.jobs("late")}
    opened = site.pipelines.move({("in", "cut"): site.first}, {"params": {"/recipe": b"1"}})
    assert {job.id for job in site.pipelines.jobs("late")} - before == {opened}
    assert dict(site.store.fetch("params", "/", opened)) == {"/recipe": b"1"}
    assert site.store.head("params") == opened != left.id


def test_what_is_not_there_is_not_found_and_named(site: Site) -> None:
    pipelines = site.pipelines
    pipelines.apply([spec()])
    for call in (pipelines.jobs, pipelines.run, pipelines.stop, pipelines.start):
        with pytest.raises(NotFound, match="there is no pipeline nope"):
            call("nope")
    for look in (pipelines.job, pipelines.wait, pipelines.datums):
        with pytest.raises(NotFound, match=f"out has no job {NOBODY}"):
            look("out", NOBODY)
    with pytest.raises(NotFound, match=NOBODY):
        pipelines.move({("in", "cut"): NOBODY})
    with pytest.raises(NotFound, match="nope"):
        pipelines.move({("nope", "cut"): site.first})
    assert pipelines.branch("in", "cut") is None


def test_commits_with_the_same_files_are_the_same(site: Site) -> None:
    again = site.store.write("in", {"/a": b"1"})
    other = site.store.write("in", {"/a": b"2"})
    assert site.pipelines.same("in", site.first, again)
    assert not site.pipelines.same("in", again, other)


def test_who_follows_a_job_sees_it_end(site: Site) -> None:
    site.pipelines.apply([spec()])
    job = site.pipelines.jobs("out", 1)[0]
    seen = site.pipelines.follow("out", job.id)
    assert next(seen).state == "created"
    site.tell(job.id, pps.JobState.JOB_STARTING)  # Its time starts here.
    site.tell(job.id, pps.JobState.JOB_RUNNING, data_total=3, data_processed=1)
    running = next(seen)
    assert (running.state, running.done, running.total, running.over) == ("running", 1, 3, False)
    counts = {"data_processed": 1, "data_skipped": 1, "data_recovered": 1}
    site.end(job.id, pps.JobState.JOB_SUCCESS, data_total=3, **counts)
    (*_, last) = seen
    assert (last.state, last.done, last.over) == ("success", 3, True)
    assert last.seconds > 0


def test_who_waits_for_a_job_gets_it_when_it_is_over(site: Site) -> None:
    site.pipelines.apply([spec()])
    job = site.pipelines.jobs("out", 1)[0]
    got: list[Job] = []
    waiting = threading.Thread(target=lambda: got.append(site.pipelines.wait("out", job.id)))
    waiting.start()
    site.end(job.id, pps.JobState.JOB_FAILURE, data_total=1, data_failed=1)
    waiting.join(30)
    assert (got[0].state, got[0].reason, got[0].failed) == ("failure", "said so", 1)


def test_a_killed_job_keeps_its_reason(site: Site) -> None:
    site.pipelines.apply([spec()])
    job = site.pipelines.jobs("out", 1)[0]
    site.pipelines.stop_job("out", job.id, "enough")
    killed = site.pipelines.wait("out", job.id)
    assert (killed.state, killed.over) == ("killed", True)
    assert "enough" in killed.reason


def test_a_stopped_pipeline_opens_no_job_until_it_is_started(site: Site) -> None:
    pipelines = site.pipelines
    pipelines.apply([spec()])
    pipelines.stop("out")
    assert pipelines.every()[0].stopped
    before = {job.id for job in pipelines.jobs("out")}
    commit = site.store.write("in", {"/b": b"2"})
    assert {job.id for job in pipelines.jobs("out")} == before
    with pytest.raises(Refused, match="chexnet pipeline start out"):
        pipelines.run("out")
    pipelines.start("out")
    assert not pipelines.every()[0].stopped
    (opened,) = {job.id for job in pipelines.jobs("out")} - before
    assert site.store.upstream("out", opened)[0] == ("in", commit)


def test_a_run_opens_a_job_and_reprocesses_only_if_asked(site: Site) -> None:
    site.pipelines.apply([spec()])
    salt, before = site.salt(), {job.id for job in site.pipelines.jobs("out")}
    first = site.pipelines.run("out")
    assert site.salt() == salt
    second = site.pipelines.run("out", reprocess=True)
    assert site.salt() != salt
    assert {job.id for job in site.pipelines.jobs("out")} - before == {first.id, second.id}


def test_jobs_are_told_newest_first_of_one_pipeline_or_of_all(site: Site) -> None:
    site.pipelines.apply([spec(), spec("late", "cut")])
    commits = [site.store.write("in", {"/b": bytes(n)}) for n in range(3)]
    assert [job.id for job in site.pipelines.jobs("out", 2)] == commits[:0:-1]
    assert {job.pipeline for job in site.pipelines.jobs()} == {"out", "late"}
    assert len(site.pipelines.jobs(limit=3)) == 3


def test_a_server_that_is_down_is_unavailable_and_named() -> None:
    pipelines = PachydermPipelines("127.0.0.1:1", "xray")
    for call in (pipelines.every, pipelines.jobs, lambda: pipelines.apply([spec()])):
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1.*make up"):
            call()
