"""chexnet pipeline, over a version store whose jobs the test ends itself."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from msgspec import structs
from pachyderm_sdk.api import pps
from typer.testing import CliRunner

from chexnet.cli.main import app
from chexnet.errors import NotFound, Refused
from chexnet.messages import sha256
from tests.contract.jobs import Site, spec
from tests.contract.pachyderm.server import Server
from tests.unit.runtime.test_consistency import npy
from tests.unit.runtime.test_lineage import prediction

SUCCESS, FAILURE = pps.JobState.JOB_SUCCESS, pps.JobState.JOB_FAILURE


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("store") / "folder")
    yield made
    assert made.stop() == 0


@pytest.fixture
def site(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A project of the test's own, which the commands find by the environment."""
    project = f"test-{uuid.uuid4().hex[:12]}"
    for name, value in {
        "PIPELINE": project,
        "STATE": tmp_path,
        "KAFKA__BOOTSTRAP": "none:0",
        "STORE__ADDRESS": server.address,
        "SERVING__REPLICAS": "none:0",
        "GATEWAY__URL": "http://none",
        "GATEWAY__TOKEN_FILE": tmp_path / "token",
    }.items():
        monkeypatch.setenv(f"CHEXNET_{name}", str(value))
    monkeypatch.setenv("COLUMNS", "200")
    return Site(server.address, project)


def run(*argv: str) -> Result:
    return CliRunner().invoke(app, ["pipeline", *argv], catch_exceptions=True)


def read(*argv: str) -> Any:
    result = run(*argv, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_apply_makes_what_the_package_specifies_and_says_what_it_did(site: Site) -> None:
    names = ["images", "dataset", "models-a", "models-b", "ab-report"]
    assert read("apply", "--dry-run") == dict.fromkeys(names, "created")
    assert "no pipelines yet" in run("list").stdout
    assert read("apply") == dict.fromkeys(names, "created")
    assert run("apply").stdout.splitlines() == [f"{name}: unchanged" for name in names]


def test_another_input_makes_images_process_anew_and_nothing_else(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("apply")
    before = {name: site.salt(name) for name in ("images", "dataset")}
    monkeypatch.setenv("CHEXNET_INPUT", "waveform")
    changed = read("apply")
    assert {name for name, what in changed.items() if what == "updated"} == {"images"}
    assert site.salt("images") != before["images"]
    assert site.salt("dataset") == before["dataset"]


def test_list_tells_how_the_last_jobs_went(site: Site) -> None:
    site.pipelines.apply([spec(), spec("late", "cut")])
    counts = {"data_processed": 50, "data_skipped": 5000, "data_failed": 1}
    site.end(site.pipelines.jobs("out", 1)[0].id, FAILURE, data_total=5051, **counts)
    site.pipelines.stop("late")
    lines = {line.split()[1]: line for line in run("list").stdout.splitlines() if "│" in line}
    assert "50 done, 5000 skipped, 1 failed of 5051" in lines["out"]
    assert "failure" in lines["out"]
    assert "in@cut" in lines["late"]
    assert "stopped" in lines["late"]
    assert [each["name"] for each in read("list")] == ["late", "out"]


def test_jobs_tell_why_one_failed_and_are_found_by_how_their_ids_begin(site: Site) -> None:
    site.pipelines.apply([spec()])
    job = site.pipelines.jobs("out", 1)[0].id
    site.end(job, FAILURE, data_total=1, data_failed=1)
    later = site.store.write("in", {"/b": b"2"})
    told = run("jobs", "out").stdout
    assert f"{job[:12]} of out: said so" in told
    assert [one["id"] for one in read("jobs", "out")] == [later, job]
    assert [one["id"] for one in read("jobs", "--limit", "1")] == [later]
    assert run("stop", "out", "--job", later[:12], "--reason", "enough").exit_code == 0
    assert site.pipelines.job("out", later).state == "killed"
    assert isinstance(run("logs", "out", "--job", "zz").exception, NotFound)
    assert isinstance(run("jobs", "nope").exception, NotFound)


@pytest.mark.parametrize(("state", "code"), [(SUCCESS, 0), (FAILURE, 1)])
def test_a_run_is_followed_to_its_end_which_is_the_exit_code(
    site: Site, monkeypatch: pytest.MonkeyPatch, state: pps.JobState, code: int
) -> None:
    site.pipelines.apply([spec()])
    told = site.pipelines.follow

    class Worked(type(site.pipelines)):  # type: ignore[misc]  # The worker, at the right moment.
        def follow(self, pipeline: str, job: str) -> Any:
            site.end(job, state, data_total=2, data_processed=1, data_skipped=1)
            yield from told(pipeline, job)

    monkeypatch.setattr("chexnet.adapters.pachyderm.PachydermPipelines", Worked)
    done = run("run", "out")
    assert done.exit_code == code
    assert "1 done, 1 skipped of 2. said so" in done.stdout


def test_a_run_that_nobody_waits_for_is_told_by_its_id(site: Site) -> None:
    site.pipelines.apply([spec()])
    job = read("run", "out", "--no-wait")
    assert (job["state"], job["id"]) == ("created", site.pipelines.jobs("out", 1)[0].id)
    site.pipelines.stop("out")
    assert isinstance(run("run", "out").exception, Refused)
    assert read("start", "out") == {"pipeline": "out", "stopped": False}


@pytest.mark.parametrize("command", ["run", "stop", "start", "logs"])
def test_without_a_name_the_pipelines_are_named(command: str) -> None:
    done = run(command)
    assert done.exit_code == 2
    said = " ".join(done.output.replace("│", " ").split())
    assert "images, dataset, models-a, models-b, ab-report. Received: none." in said


@pytest.mark.parametrize("job", [(), ("--job", "0123")])
def test_a_line_without_a_pipeline_is_not_trained(site: Site, job: tuple[str, ...]) -> None:
    run("apply")
    argv = ["train", "--line", "zz", "--config", "demo_b", *job]
    error = CliRunner().invoke(app, argv).exception
    assert isinstance(error, NotFound)
    assert str(error).startswith("A line must be one that there is: a, b. Received: 'zz'.")


def test_the_graph_is_a_tree_here_and_a_picture_in_a_file(site: Site, tmp_path: Path) -> None:
    assert isinstance(run("graph").exception, NotFound)
    reads = ("out", "in")
    both = {
        "union": [{"pfs": {"name": "x", "repo": r, "branch": "cut", "glob": "/"}} for r in reads]
    }
    site.pipelines.apply([spec(), spec("late", input=both)])
    site.end(site.pipelines.jobs("out", 1)[0].id, SUCCESS, data_total=1, data_processed=1)
    assert run("graph").stdout.splitlines() == [
        "in repo",
        "├── out pipeline, last job: success; 1 done of 1 datums",
        "│   └── late from @cut; pipeline, last job: created; no datums",
        "└── late from @cut; as above",
    ]
    for name, begins in (("dag.png", b"\x89PNG"), ("dag.svg", b"<?xml")):
        assert run("graph", "--out", str(tmp_path / name)).exit_code == 0
        assert (tmp_path / name).read_bytes().startswith(begins)


def test_check_names_predictions_that_saw_something_else_and_fails(site: Site) -> None:
    array = np.arange(4, dtype=np.uint8)
    for repo in ("images", "predictions"):
        site.store.ensure(repo)
    site.store.write("images", {f"/data/20260102/u/{up}.im.npy": npy(array) for up in ("a", "b")})
    records = {up: prediction(up, "im", 1) for up in ("a", "b", "c")}
    records["a"] = structs.replace(records["a"], tensor_sha256=sha256(array.tobytes()))
    site.store.write(
        "predictions",
        {f"/data/20260102/u/{p.prediction_id}.json": p.encode() for p in records.values()},
    )
    result = run("check", "--json")
    assert result.exit_code == 1
    different = [records["b"].prediction_id]
    assert json.loads(result.stdout) == {"equal": 1, "waiting": 1, "different": different}
    assert f"Different: {different[0]}" in run("check").stderr
