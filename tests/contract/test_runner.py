"""The worker of the pipelines, as a real process, against each server."""

from __future__ import annotations

import json
import os
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from tests.contract.working import COUNT, Site, counts
from tests.images import film


def test_each_file_is_a_datum_and_only_what_changed_is_done_again(site: Site) -> None:
    site.put(a=b"1", b=b"22")
    first = site.apply(COUNT)
    assert (first.state, counts(first)) == ("success", (2, 0, 0, 0)), first.reason
    assert site.files() == {"/a": b"1\n", "/b": b"2\n"}
    second = site.job(site.put(c=b"333"))
    assert counts(second) == (1, 2, 0, 0)
    third = site.job(site.put(a=b"4444"))
    assert counts(third) == (1, 2, 0, 0)
    assert site.files() == {"/a": b"4\n", "/b": b"2\n", "/c": b"3\n"}


def test_a_removed_file_takes_its_output_along(site: Site) -> None:
    site.put(a=b"1", b=b"22")
    site.apply(COUNT)
    job = site.job(site.put(a=None))
    assert counts(job) == (0, 1, 0, 0)
    assert site.files() == {"/b": b"2\n"}


def test_a_changed_transform_is_applied_to_all(site: Site) -> None:
    site.put(a=b"1", b=b"22")
    site.apply(COUNT)
    job = site.apply("echo new > $CHEXNET_PFS/out/$(basename $in).txt")
    assert counts(job) == (2, 0, 0, 0)
    assert site.files() == {"/a.txt": b"new\n", "/b.txt": b"new\n"}


def test_a_changed_description_does_nothing_again(site: Site) -> None:
    site.put(a=b"1")
    site.apply(COUNT)
    job = site.apply(COUNT, description="counts bytes")
    assert counts(job) == (0, 1, 0, 0)


def test_a_datum_that_fails_is_named_with_its_log_and_the_others_go_on(site: Site) -> None:
    script = "echo reading $in; test $(basename $in) != bad || exit 7; " + COUNT
    site.put(a=b"1", bad=b"2", c=b"3")
    job = site.apply(script, datum_tries=2)
    assert (job.state, counts(job)) == ("failure", (2, 0, 1, 0))
    assert "in:/bad" in job.reason
    assert "exit code 7" in job.reason
    log = site.log(job)
    assert sum("/bad" in line for line in log) == 2
    assert "[try 2 of 2: it ended with exit code 7]" in log
    assert site.store.head("out") is None
    mended = site.job(site.put(bad=None))
    assert (mended.state, counts(mended)) == ("success", (0, 2, 0, 0))
    assert site.files() == {"/a": b"1\n", "/c": b"1\n"}


def test_an_error_handler_recovers_a_datum_without_output(site: Site) -> None:
    script = "touch $CHEXNET_PFS/out/half; test $(basename $in) != bad || exit 1; " + COUNT
    site.put(a=b"1", bad=b"2")
    script = script.replace("half", "half-$(basename $in)")
    job = site.apply(script, transform={"err_cmd": ["true"]}, datum_tries=1)
    assert (job.state, counts(job)) == ("success", (1, 0, 0, 1))
    assert set(site.files()) == {"/a", "/half-a"}


def test_a_name_that_no_repo_takes_fails_its_datum_alone(site: Site) -> None:
    site.put(a=b"1", bad=b"2")
    script = (
        "test $(basename $in) != bad || touch $CHEXNET_PFS/out/$(printf '\\303\\244'); " + COUNT
    )
    job = site.apply(script, datum_tries=1)
    assert (job.state, counts(job)) == ("failure", (1, 0, 1, 0))
    assert "printable ASCII" in job.reason


def test_a_datum_that_takes_too_long_is_ended_with_its_children(site: Site) -> None:
    site.put(a=b"1")
    job = site.apply("sleep 600 & wait", datum_timeout="1s", datum_tries=1)
    assert job.state == "failure"
    assert "longer than 1 s" in job.reason


FULL = """
import os, pathlib, shutil
source, once = pathlib.Path(os.environ["source"]), pathlib.Path({once!r})
if source.name == "bad":
    raise ValueError("no film")
if not once.exists():
    once.touch()
    raise OSError(28, "No space left on device")
shutil.copy(source, pathlib.Path(os.environ["CHEXNET_PFS"]) / "out")
"""


def test_a_film_that_an_outage_met_comes_with_the_next_job_and_a_bad_one_is_left_out(
    site: Site, tmp_path: Path
) -> None:
    with resources.files("chexnet.pipelines.specs").joinpath("images.json").open() as spec:
        handler = json.load(spec)["transform"]["err_cmd"]
    good = film(np.random.default_rng(0))
    site.put(bad=b"no film", good=good)
    job = site.apply(
        "",
        input={"pfs": {"name": "source", "repo": "in", "glob": "/*"}},
        transform={
            "cmd": ["python", "-c", FULL.format(once=str(tmp_path / "once"))],
            "stdin": [],
            "err_cmd": handler,
        },
        datum_tries=1,
    )
    assert (job.state, counts(job)) == ("failure", (0, 0, 1, 1)), site.log(job)
    assert "in:/good" in job.reason
    again = site.pipelines.run("out")
    assert counts(site.job(again.id)) == (1, 1, 0, 0)
    assert site.files() == {"/good": good}


def test_a_job_that_takes_too_long_is_killed(site: Site) -> None:
    site.put(a=b"1")
    job = site.apply("sleep 600", job_timeout="1s")
    assert (job.state, job.reason) == ("killed", "it took longer than 1 s")


def test_two_datums_run_at_once(site: Site, tmp_path: Path) -> None:
    for name in "ab":
        os.mkfifo(tmp_path / name)
    site.put(a=b"1", b=b"2")
    mine, other = f"{tmp_path}/$(basename $in)", f"{tmp_path}/$(basename $in | tr ab ba)"
    meet = f"echo > {other} & cat {mine}; wait; "
    job = site.apply(meet + COUNT, datum_timeout="60s", datum_tries=1)
    assert (job.state, counts(job)) == ("success", (2, 0, 0, 0)), job.reason


def test_a_pipeline_behind_a_pipeline_follows_commit_by_commit(site: Site) -> None:
    site.put(a=b"1")
    site.apply(COUNT)
    second = {
        "pipeline": {"name": "second"},
        "input": {"pfs": {"name": "in", "repo": "out", "glob": "/"}},
        "transform": {"cmd": ["sh"], "stdin": ["cat $in/* > $CHEXNET_PFS/out/all"]},
    }
    site.pipelines.apply([second])
    commits = [site.put(**{f"f{n}": b"x" * n}) for n in range(1, 4)]
    states = [site.job(commit, "second") for commit in commits]
    assert [job.state for job in states] == ["success"] * 3
    assert [job.finished for job in states] == sorted(job.finished for job in states)
    assert site.files("second") == {"/all": b"1\n1\n2\n3\n"}


def test_what_depends_on_a_failed_job_is_unrunnable(site: Site) -> None:
    site.put(a=b"1")
    site.apply("exit 1", datum_tries=1)
    second = {
        "pipeline": {"name": "second"},
        "input": {"pfs": {"name": "in", "repo": "out", "glob": "/"}},
        "transform": {"cmd": ["true"]},
    }
    site.pipelines.apply([second])
    job = site.job(site.put(b=b"2"), "second")
    assert job.state == "unrunnable"
    assert "out" in job.reason


def test_two_datums_may_not_write_one_file(site: Site) -> None:
    site.put(a=b"1", b=b"2")
    job = site.apply("cp $in $CHEXNET_PFS/out/same")
    assert job.state == "failure"
    assert "/same" in job.reason
    assert "/a" in job.reason
    assert "/b" in job.reason


def test_a_killed_job_ends_its_processes(site: Site, tmp_path: Path) -> None:
    site.put(a=b"1")
    pid, pipe = tmp_path / "pid", tmp_path / "pipe"

    os.mkfifo(pipe)
    spec = {
        "pipeline": {"name": "out"},
        "input": {"pfs": {"name": "in", "repo": "in", "glob": "/*"}},
        "transform": {"cmd": ["sh"], "stdin": [f"echo $$ > {pid}; echo > {pipe}; sleep 600"]},
    }
    site.pipelines.apply([spec])
    pipe.read_bytes()  # The transform has begun.
    job = site.pipelines.jobs("out", 1)[0]
    site.pipelines.stop_job("out", job.id, "enough")
    assert site.newest().state == "killed"
    done = site.job(site.put(a=None))
    assert done.state == "success"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


BATCH = """
import os, sys
from pathlib import Path
from chexnet.adapters.pachyderm.batching import each_datum

def work():
    source = Path(os.environ["in"])
    data = source.read_bytes()
    print("reading", source.name)
    if data == b"die":
        os._exit(9)
    if data == b"bad":
        raise ValueError("bad bytes")
    if data == b"hang":
        import threading
        threading.Event().wait()
    (Path(os.environ["CHEXNET_PFS"]) / "out" / source.name).write_text(str(os.getpid()))

each_datum(work)
"""


def test_a_batching_transform_stays_for_all_datums_and_errors_are_their_own(site: Site) -> None:
    site.put(**{f"f{n:02}": b"x" for n in range(20)}, bad=b"bad", die=b"die", hang=b"hang")
    job = site.apply(
        "",
        transform={"cmd": ["python", "-c", BATCH], "stdin": [], "datum_batching": True},
        datum_tries=1,
        datum_timeout="3s",
    )
    assert (job.state, counts(job)) == ("failure", (20, 0, 3, 0)), job.reason
    log = site.log(job)
    assert any("bad bytes" in line for line in log)
    assert any("exit code 9" in line for line in log)
    assert any("longer than 3 s" in line for line in log)
    mended = site.job(site.put(bad=None, die=None, hang=None))
    assert (mended.state, counts(mended)) == ("success", (0, 20, 0, 0))
    assert len(set(site.files().values())) <= 4  # Two workers, and new ones after `die` and `hang`.
