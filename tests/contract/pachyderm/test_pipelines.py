"""Pipelines and jobs, as a worker from outside sees them, by the unmodified SDK."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, pps

from tests.contract.conftest import make_repo
from tests.contract.pachyderm.calls import (
    EXISTS,
    NOT_FOUND,
    UNKNOWN,
    at,
    head,
    master,
    put,
    read,
    refused,
)
from tests.contract.pachyderm.server import Server

CREATED, STARTING, RUNNING, FAILURE, SUCCESS, KILLED = (pps.JobState(n) for n in (1, 2, 3, 4, 5, 6))
SH = pps.Transform(cmd=["sh"], stdin=["cp /pfs/in/* /pfs/out"])


def reads(repo: pfs.Repo, glob: str = "/*", **more: Any) -> pps.Input:
    named = {"repo": repo.name, "project": repo.project.name, "glob": glob, "branch": "master"}
    return pps.Input(pfs=pps.PfsInput(**{**named, **more}))


def make(client: Client, repo: pfs.Repo, given: pps.Input, name: str = "copy", **more):
    made = pps.Pipeline(project=repo.project, name=name)
    client.pps.create_pipeline(pipeline=made, transform=SH, input=given, **more)
    return made


def jobs(client: Client, pipeline: pps.Pipeline, **more) -> list[pps.JobInfo]:
    """The jobs, the oldest first."""
    return list(client.pps.list_job(pipeline=pipeline, **more))[::-1]


def output(pipeline: pps.Pipeline, kind: str = "user") -> pfs.Repo:
    return pfs.Repo(name=pipeline.name, type=kind, project=pipeline.project)


def finish(client: Client, job: pps.JobInfo, state: pps.JobState, reason: str = "") -> None:
    """End a job as its worker does: both commits and the state at once."""
    with client.transaction.transaction():
        for kind in ("meta", "user"):
            commit = at(output(job.job.pipeline, kind), job.job.id)
            client.pfs.finish_commit(commit=commit, error=reason, force=True)
        client.pps.update_job_state(job=job.job, state=state, reason=reason)


def work(client: Client, job: pps.JobInfo, **files: bytes) -> None:
    """Do a job: some files into its output commit, and success."""
    for state in (STARTING, RUNNING):
        client.pps.update_job_state(job=job.job, state=state)
    commit = at(output(job.job.pipeline), job.job.id)
    for path, data in files.items():
        client.pfs.put_file_from_bytes(commit=commit, path=f"/{path}", data=data)
    finish(client, job, SUCCESS)


@pytest.fixture
def copy(client: Client, repo: pfs.Repo) -> Iterator[pps.Pipeline]:
    """A pipeline over `in`, which has one commit with the file /a."""
    put(client, repo, a=b"1")
    made = make(client, repo, reads(repo))
    yield made
    client.pps.delete_pipeline(pipeline=made, force=True)


def test_a_new_pipeline_has_a_job_with_output_and_meta_commit(
    client: Client, copy: pps.Pipeline
) -> None:
    (job,) = jobs(client, copy)
    assert (job.state, job.pipeline_version) == (CREATED, 1)
    assert job.output_commit.id == job.job.id
    for kind in ("user", "meta"):
        commit = client.pfs.inspect_commit(commit=at(output(copy, kind), job.job.id))
        assert commit.finishing.year == 1970
    assert head(client, output(copy)).commit.id == job.job.id


def test_each_commit_to_the_input_makes_a_job_of_its_id(
    client: Client, repo: pfs.Repo, copy: pps.Pipeline
) -> None:
    commits = [put(client, repo, b=b"2"), put(client, repo, c=b"3")]
    assert [job.job.id for job in jobs(client, copy)[1:]] == [commit.id for commit in commits]


def test_a_worker_takes_a_job_to_its_end(client: Client, repo: pfs.Repo, copy) -> None:
    (job,) = jobs(client, copy)
    work(client, job, a=b"1")
    done = client.pps.inspect_job(job=job.job, wait=True)
    assert done.state == SUCCESS
    assert done.created <= done.started <= done.finished
    assert read(client, pfs.File(commit=at(output(copy), job.job.id), path="/a")) == b"1"
    with refused(UNKNOWN, "has already finished"):
        client.pps.update_job_state(job=job.job, state=RUNNING)


def test_a_report_keeps_counts_and_reason(client: Client, copy: pps.Pipeline) -> None:
    (job,) = jobs(client, copy)
    counts = {"data_processed": 3, "data_skipped": 2, "data_failed": 1, "data_total": 7}
    client.pps.update_job_state(
        job=job.job, state=RUNNING, reason="because", restart=2, data_recovered=1, **counts
    )
    told = client.pps.inspect_job(job=job.job)
    assert (told.state, told.reason, told.restart) == (RUNNING, "because", 2)
    assert {name: getattr(told, name) for name in counts} == counts


def test_an_output_commit_is_finished_by_force_only(client: Client, copy: pps.Pipeline) -> None:
    (job,) = jobs(client, copy)
    with refused(UNKNOWN, "use 'stop job' instead"):
        client.pfs.finish_commit(commit=job.output_commit)


def test_who_subscribes_gets_open_jobs_and_then_each_new_one(
    client: Client, repo: pfs.Repo, copy: pps.Pipeline
) -> None:
    (first,) = jobs(client, copy)
    with closing(client.pps.subscribe_job(pipeline=copy, details=True)) as told:
        assert next(told).job.id == first.job.id
        commit = put(client, repo, b=b"2")
        job = next(told)
    assert job.job.id == commit.id
    assert job.details.transform.cmd == ["sh"]
    assert job.details.input.pfs.commit == commit.id
    assert job.details.datum_tries == 3
    assert job.details.salt


def test_an_update_is_a_new_version_with_a_job_and_kills_the_old_ones(
    client: Client, repo: pfs.Repo, copy: pps.Pipeline
) -> None:
    salt = client.pps.inspect_pipeline(pipeline=copy, details=True).details.salt
    make(client, repo, reads(repo), update=True)
    again = client.pps.inspect_pipeline(pipeline=copy, details=True)
    assert (again.version, again.details.salt) == (2, salt)
    old, new = jobs(client, copy, history=-1)
    assert (old.state, new.state) == (KILLED, CREATED)
    assert [job.job.id for job in jobs(client, copy)] == [new.job.id]
    make(client, repo, reads(repo), update=True, reprocess=True)
    reprocessed = client.pps.inspect_pipeline(pipeline=copy, details=True)
    assert reprocessed.version == 3
    assert reprocessed.details.salt != salt


def test_a_stopped_pipeline_makes_no_jobs_until_it_is_started(
    client: Client, repo: pfs.Repo, copy: pps.Pipeline
) -> None:
    client.pps.stop_pipeline(pipeline=copy)
    assert client.pps.inspect_pipeline(pipeline=copy).stopped
    put(client, repo, b=b"2")
    (killed,) = jobs(client, copy)
    assert killed.state == KILLED
    client.pps.start_pipeline(pipeline=copy)
    assert not client.pps.inspect_pipeline(pipeline=copy).stopped
    assert [job.state for job in jobs(client, copy)] == [KILLED, CREATED]


def test_a_stopped_job_is_killed_and_its_commits_are_errors(
    client: Client, copy: pps.Pipeline
) -> None:
    (job,) = jobs(client, copy)
    client.pps.stop_job(job=job.job, reason="enough")
    assert client.pps.inspect_job(job=job.job).state == KILLED
    assert head(client, output(copy)).error == "enough"


def test_names_that_are_taken_or_missing_are_refused(
    client: Client, repo: pfs.Repo, copy: pps.Pipeline
) -> None:
    with refused(EXISTS, "already exists"):
        make(client, repo, reads(repo))
    with refused(UNKNOWN, "a repo with the same name already exists"):
        make_repo(client, repo.project, "taken")
        make(client, repo, reads(repo), name="taken")
    with refused(NOT_FOUND, "not found"):
        make(client, repo, reads(pfs.Repo(name="nope", project=repo.project)), name="other")
    with refused(NOT_FOUND):
        client.pps.inspect_pipeline(pipeline=pps.Pipeline(project=repo.project, name="nope"))


def test_a_deleted_pipeline_leaves_nothing_or_only_its_output(
    client: Client, repo: pfs.Repo
) -> None:
    put(client, repo, a=b"1")
    kept = make(client, repo, reads(repo))
    work(client, jobs(client, kept)[0], a=b"1")
    client.pps.delete_pipeline(pipeline=kept, keep_repo=True)
    assert read(client, pfs.File(commit=at(output(kept)), path="/a")) == b"1"
    assert not client.pps.pipeline_exists(kept)
    client.pfs.delete_repo(repo=output(kept))
    gone = make(client, repo, reads(repo))
    client.pps.delete_pipeline(pipeline=gone)
    named = {info.repo.name for info in client.pfs.list_repo(projects=[repo.project])}
    assert named == {"in"}


def test_datums_are_the_files_that_the_glob_matches(client: Client, repo: pfs.Repo) -> None:
    put(client, repo, a=b"1", d__b=b"2")
    files = list(client.pps.list_datum(input=reads(repo, "/*")))
    assert [each.data[0].file.path for each in files] == ["/a", "/d/"]
    again = list(client.pps.list_datum(input=reads(repo, "/*")))
    assert [each.datum.id for each in files] == [each.datum.id for each in again]
    assert len({each.datum.id for each in files}) == 2
    (whole,) = client.pps.list_datum(input=reads(repo, "/"))
    assert whole.data[0].file.path == "/"


def test_an_empty_commit_has_no_datums(client: Client, repo: pfs.Repo) -> None:
    with client.pfs.commit(branch=master(repo)):
        pass
    assert list(client.pps.list_datum(input=reads(repo, "/*"))) == []


def test_crosses_and_unions(client: Client, repo: pfs.Repo) -> None:
    other = make_repo(client, repo.project, "other")
    put(client, repo, a=b"1", b=b"2")
    put(client, other, c=b"3")

    def paths(given: pps.Input) -> list[list[str]]:
        found = client.pps.list_datum(input=given)
        return sorted([info.file.path for info in each.data] for each in found)

    both = [reads(repo), reads(other)]
    assert paths(pps.Input(cross=both)) == [["/a", "/c"], ["/b", "/c"]]
    assert paths(pps.Input(union=both)) == [["/a"], ["/b"], ["/c"]]


def test_deferred_processing_opens_one_job_for_all_branches_that_are_moved_together(
    client: Client, repo: pfs.Repo
) -> None:
    """As measured on the real server: see DESIGN §3."""
    labels = make_repo(client, repo.project, "labels")
    heads = {repo.name: put(client, repo, a=b"1"), labels.name: put(client, labels, b=b"2")}
    given = [reads(each, "/", branch="curated", name=each.name) for each in (repo, labels)]
    dataset = make(client, repo, pps.Input(cross=given), name="dataset")
    before = len(jobs(client, dataset))
    heads[repo.name] = put(client, repo, c=b"3")
    assert len(jobs(client, dataset)) == before
    with client.transaction.transaction():
        for each in (repo, labels):
            branch = pfs.Branch(repo=each, name="curated")
            client.pfs.create_branch(branch=branch, head=heads[each.name])
    *_, job = jobs(client, dataset, details=True)
    assert len(jobs(client, dataset)) == before + 1
    (datum,) = client.pps.list_datum(input=job.details.input)
    assert [info.file.commit.id for info in datum.data] == [heads["in"].id, heads["labels"].id]


def test_a_pipeline_behind_a_pipeline_has_a_job_of_the_same_id(
    client: Client, repo: pfs.Repo, copy: pps.Pipeline
) -> None:
    second = make(client, repo, reads(output(copy)), name="second")
    commit = put(client, repo, b=b"2")
    told = list(client.pps.inspect_job_set(job_set=pps.JobSet(id=commit.id)))
    assert [job.job.pipeline.name for job in told] == ["copy", "second"]
    made = client.pfs.inspect_commit(commit=at(output(second), commit.id))
    assert commit.id in {up.id for up in made.direct_provenance}
    client.pps.delete_pipeline(pipeline=second, force=True)


def numbered(client: Client, repo: pfs.Repo) -> None:
    """Put the files /foo00 to /foo49: the example of Pachyderm's own tests of datums."""
    put(client, repo, **{f"foo{n:02}": b"" for n in range(50)})


def listed(client: Client, given: pps.Input) -> list[str]:
    found = client.pps.list_datum(input=given)
    return sorted("".join(info.file.path for info in each.data) for each in found)


def test_a_join_pairs_the_files_whose_captures_are_equal(client: Client, repo: pfs.Repo) -> None:
    numbered(client, repo)
    both = [
        reads(repo, "/foo(?)(?)", name="a", join_on="$1$2"),
        reads(repo, "/foo(?)(?)", name="b", join_on="$2$1"),
    ]
    pairs = [f"/foo{a}{b}/foo{b}{a}" for a in range(5) for b in range(5)]
    assert listed(client, pps.Input(join=both)) == sorted(pairs)


def test_an_outer_join_keeps_what_has_no_partner(client: Client, repo: pfs.Repo) -> None:
    numbered(client, repo)
    both = [
        reads(repo, "/foo1(?)", name="a", join_on="$1", outer_join=True),
        reads(repo, "/foo(?)1", name="b", join_on="$1", outer_join=True),
    ]
    paired = [f"/foo1{n}/foo{n}1" for n in range(5)]
    alone = [f"/foo1{n}" for n in range(5, 10)]
    assert listed(client, pps.Input(join=both)) == sorted([*paired, *alone])


def test_a_group_is_one_datum_for_each_capture(client: Client, repo: pfs.Repo) -> None:
    numbered(client, repo)
    rows = reads(repo, "/foo(?)(?)", group_by="$1")

    def grouped(given: pps.Input) -> list[list[str]]:
        found = client.pps.list_datum(input=given)
        return sorted(sorted(info.file.path for info in each.data) for each in found)

    wanted = [[f"/foo{a}{b}" for b in range(10)] for a in range(5)]
    assert grouped(pps.Input(group=[rows])) == wanted
    columns = reads(repo, "/foo(?)(?)", name="b", group_by="$2")
    both = grouped(pps.Input(group=[rows, columns]))
    assert [f"/foo{n}5" for n in range(5)] in both
    assert sorted([f"/foo1{n}" for n in range(10)] + [f"/foo{n}1" for n in range(5)]) in both
    assert len(both) == 10


def test_a_union_takes_groups_and_files_alike(client: Client, repo: pfs.Repo) -> None:
    numbered(client, repo)
    groups = pps.Input(group=[reads(repo, "/foo(?)(?)", name="b", group_by="$2")])
    found = listed(client, pps.Input(union=[reads(repo, "/foo(?)(?)"), groups]))
    assert len(found) == 60


def test_a_dry_run_makes_nothing(client: Client, repo: pfs.Repo) -> None:
    named = make(client, repo, reads(repo), dry_run=True)
    with refused(NOT_FOUND):
        client.pps.inspect_pipeline(pipeline=named)
    make(client, repo, reads(repo))


def test_the_jobs_of_an_input_commit_are_those_made_from_it(client: Client, repo: pfs.Repo) -> None:
    before = put(client, repo, a=b"1")
    pipeline = make(client, repo, reads(repo))
    own = jobs(client, pipeline)[-1].job.id
    after = put(client, repo, b=b"2")
    assert own != before.id
    found = [[j.job.id for j in jobs(client, pipeline, input_commit=[c])] for c in (before, after)]
    assert found == [[own], [after.id]]


def test_all_pipelines_are_deleted_also_after_one_upstream_was_updated(
    client: Client, repo: pfs.Repo
) -> None:
    first = make(client, repo, reads(repo))
    make(client, repo, reads(output(first)), name="second")
    make(client, repo, reads(repo), update=True)
    client.pps.delete_pipelines(projects=[repo.project])
    assert list(client.pps.list_pipeline(projects=[repo.project])) == []


def test_what_is_not_served_is_refused_rather_than_ignored(version_store: Server) -> None:
    client = Client.from_pachd_address(version_store.address)
    repo = make_repo(client, pfs.Project(name="default"), "unserved")
    pipeline = make(client, repo, reads(repo))
    asked: list[Any] = [
        lambda: make(client, repo, reads(repo), name="other", s3_out=True),
        lambda: list(client.pps.list_pipeline(jq_filter=".")),
        lambda: list(client.pps.list_job(jq_filter=".")),
        lambda: list(client.pps.get_logs(pipeline=pipeline, since=timedelta(hours=1))),
        lambda: list(client.pps.get_logs(pipeline=pipeline, data_filters=["/a"])),
    ]
    for ask in asked:
        with refused(grpc.StatusCode.UNIMPLEMENTED):
            ask()
