"""The retraining of every night, in a crontab of the test's own."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.playbooks import ROOT, Outcome, Site

CRONTAB = """#!/bin/sh
case "$1" in
-l) cat {kept} 2>/dev/null || exit 1 ;;
-r) rm -f {kept} ;;
*) cat "$1" >{kept} ;;
esac
"""
PLAY = """
- name: Schedule
  hosts: localhost
  gather_facts: false
  vars:
    stack_state: {folder}/state
    stack_venv: {folder}/venv
    services_pipelines: [{{name: xray, input: chest_xray, port: 8100}}]
  tasks:
    - ansible.builtin.include_role: {{name: services, tasks_from: retrain}}
"""
NIGHTLY = {"line": "b", "config": "demo_b", "hour": 3, "cases": 300, "file": "50%.toml"}
Schedule = Callable[..., Outcome]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a crontab first in the path; return what it keeps."""
    kept, program = tmp_path / "kept", tmp_path / "bin/crontab"
    program.parent.mkdir()
    program.write_text(CRONTAB.format(kept=kept))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return kept


@pytest.fixture
def schedule(tmp_path: Path) -> Schedule:
    """Give the role's tasks this `services_retrain`."""
    play = tmp_path / "playbooks/play.yml"
    play.parent.mkdir()
    play.write_text(PLAY.format(folder=tmp_path))

    def run(wanted: dict[str, Any], *arguments: str) -> Outcome:
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        command = [program, str(play), "-i", "inventory/local", *arguments]
        done = subprocess.run(
            [*command, "-e", json.dumps(wanted)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Outcome(done.returncode, done.stdout)

    return run


def jobs(kept: Path) -> list[str]:
    return [line for line in kept.read_text().splitlines() if line and line[0] != "#"]


def test_the_schedule_is_one_line_that_follows_its_variable_and_goes_with_it(
    schedule: Schedule, kept: Path, tmp_path: Path
) -> None:
    kept.write_text("5 5 * * * somebody else's\n")
    checked = schedule({"services_retrain": NIGHTLY}, "--check")
    assert checked.changed == ["services : Schedule it, or no more"], checked.output
    assert len(jobs(kept)) == 1

    assert schedule({"services_retrain": NIGHTLY}).changed == checked.changed
    others, job = jobs(kept)
    assert job.startswith("0 3 * * * cd ")
    command, _ = job.removeprefix("0 3 * * * ").replace("\\%", "%").split(" >> ")
    words = shlex.split(command)
    assert words[1] == str(tmp_path)
    given = json.loads(words[words.index("-e") + 1])
    scheduled = {k: v for k, v in NIGHTLY.items() if k != "hour"}
    state = str(tmp_path / "state")
    assert given == {"pipeline": "xray", "state_dir": state, **scheduled}
    assert words[words.index("-i") + 1] == str(ROOT / "inventory/local")

    assert schedule({"services_retrain": NIGHTLY}).changed == []
    assert schedule({"services_retrain": {"line": "a", "hour": 4}}).changed == checked.changed
    assert [line.split(" cd ")[0] for line in jobs(kept)[1:]] == ["0 4 * * *"]
    assert schedule({"services_retrain": {}}).changed == checked.changed
    assert jobs(kept) == [others]


def test_without_a_crontab_it_says_what_another_scheduler_must_run(
    schedule: Schedule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", bare(tmp_path / "bare"))
    told = schedule({"services_retrain": {"line": "b"}})
    assert (told.code, told.changed) == (0, [])
    assert "needs a crontab" in told.output
    assert "playbooks/retrain.yml" in told.output


def bare(folder: Path) -> str:
    """Return a path of a folder with the few programs that Ansible itself needs."""
    folder.mkdir()
    for name in ("sh", "uname", "id", "env"):
        (folder / name).symlink_to(str(shutil.which(name)))
    return str(folder)


def test_a_retraining_of_no_line_is_refused(schedule: Schedule, kept: Path) -> None:
    refused = schedule({"services_retrain": {"config": "demo_b"}})
    assert refused.code != 0
    assert "services_retrain must name a line" in refused.output
    assert not kept.exists()


ANSWERS = {
    "status": {"control": {"champion": 1, "experiment": None}},
    "dataset": {"dataset": "dataset@1", "new": True},
    "train": {"job": "1", "told": "epoch 1/1", "over": True, "card": {"labels": ["Mass"]}},
    "release": {"version": 7},
    "start": {"experiment": {"name": "nightly-7"}},
}
CHEXNET = """
import json, sys
said = sys.argv[2:]
with open(sys.argv[1] + "/asked", "a") as asked:
    print(*said, file=asked)
answers = json.load(open(sys.argv[1] + "/answers"))
if said[1] == "report" and "report" not in answers:
    sys.exit("A report needs predictions and reads in the archive. Received: none.")
print(json.dumps(answers.get(said[0], answers.get(said[1], {}))))
"""


def retrain(folder: Path, answers: dict[str, Any], **given: Any) -> tuple[Outcome, list[str]]:
    """Play retrain.yml on these answers of chexnet; return what it was asked for, too."""
    (folder / "chexnet.py").write_text(CHEXNET)
    (folder / "answers").write_text(json.dumps(answers))
    (folder / "reports").mkdir()
    command = [sys.executable, str(folder / "chexnet.py"), str(folder)]
    outcome = Site(folder).play("retrain", line="b", chexnet_command=command, **given)
    return outcome, [a.removesuffix(" --json") for a in (folder / "asked").read_text().splitlines()]


def test_a_retraining_ends_with_the_report_of_its_experiment_by_a_file(tmp_path: Path) -> None:
    file = tmp_path / "nightly.toml.j2"
    file.write_text('name = "{{ retrain_name }}"\narms = { b = {{ retrain_version }} }\n')
    outcome, asked = retrain(tmp_path, ANSWERS, file=str(file))
    assert outcome.code == 0, outcome.output
    rendered = tmp_path / "reports/retrain-b.toml"
    assert rendered.read_text() == 'name = "retrained-b-7"\narms = { b = 7 }\n'
    assert asked[1] == f"experiment validate {rendered}"  # Before anything is trained.
    assert asked[-3:] == [
        f"experiment validate {rendered}",
        f"experiment start {rendered}",
        f"experiment report {tmp_path}/reports/nightly-7.html",
    ]
    assert "A report needs predictions and reads" in outcome.output


def test_while_an_experiment_runs_it_is_reported_and_nothing_is_trained(tmp_path: Path) -> None:
    running = {"control": {"champion": 1, "experiment": {"name": "by-hand"}}}
    outcome, asked = retrain(tmp_path, {**ANSWERS, "status": running, "report": {}})
    assert outcome.code == 0, outcome.output
    assert asked == ["status", f"experiment report {tmp_path}/reports/by-hand.html"]
    assert "by-hand is still running" in outcome.output
