"""Training, lineage and traffic as the pages show them, without a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chexnet.adapters.pachyderm.jobs import Job
from chexnet.ui import Lineage, Training
from chexnet.ui.traffic import Traffic
from chexnet.ui.training import JOBS
from tests.unit.experiments.records import START
from tests.unit.experiments.test_flow import World
from tests.unit.ui.deciding import a_run, a_world, answer, wiring_of


@pytest.fixture
def world(tmp_path: Path) -> World:
    return a_world(tmp_path)


def test_runs_are_shown_with_their_card_and_what_trains_with_how_far_it_is(world) -> None:
    commit = a_run(world, "b", [0.7, 0.5], [0.6, 0.8])
    page = Training(wiring=wiring_of(world))
    page.settled()
    sections = page.state["sections"]
    (run,) = sections["runs"]["runs"]
    assert (run["name"], run["line"], run["config"]) == (f"models-b@{commit}", "b", "demo_b")
    assert run["history"] == {"loss": [0.7, 0.5], "val_auroc": [0.6, 0.8]}
    assert run["macro"]["test"]["value"] == 0.8
    assert "<svg" in sections["pipelines"]["picture"]
    assert sections["pipelines"]["told"][-1] == "models-b: running"
    running, over = sections["jobs"]["jobs"]
    assert running["progress"]["share"] == pytest.approx(15 / 40)  # Epoch 2 of 4, step 5 of 10.
    assert over["progress"] is None
    page.close()


def test_trainings_stay_among_the_jobs_however_many_others_there_are(world) -> None:
    made = wiring_of(world)
    jobs = made.pipelines.jobs
    others = [
        Job(pipeline="images", id=f"{n:032}", state="success", created=START) for n in range(40)
    ]
    made.pipelines.jobs = lambda name=None, limit=20: (
        others[:limit] if name is None else jobs(name, limit)
    )
    page = Training(wiring=made)
    page.settled()
    told = [job["pipeline"] for job in page.state["sections"]["jobs"]["jobs"]]
    assert told.count("models-b") == told.count("models-a") == 1
    assert told.count("images") == JOBS
    page.close()


def test_a_lineage_is_drawn_and_told(world) -> None:
    page = Lineage(wiring=wiring_of(world))
    page.settled()
    offers = page.state["sections"]["offers"]["offers"]
    assert [offer["thing"] for offer in offers] == ["2", "1"]
    ask(page, "2")
    told = page.state["sections"]["lineage"]
    assert "<svg" in told["picture"]
    assert (told["tree"]["kind"], told["tree"]["name"]) == ("version", "xray 2")
    (training,) = told["tree"]["links"]
    assert training["kind"] == "training"
    ask(page, "<b>")
    assert "Received: '<b>'" in page.state["sections"]["lineage"]["problem"]
    page.close()


def ask(page: Lineage, thing: str) -> None:
    page._handle_custom_msg({"type": "trace", "thing": thing}, [])
    page.settled()


def test_traffic_counts_each_answer_once_in_its_minute(world) -> None:
    traffic = Traffic(world.bus)
    traffic.look()
    for n, (minutes, arm) in enumerate([(0, "champion"), (0, "champion"), (3, "b"), (90, "b")]):
        answer(world, f"new{n}", arm, minutes)
    for _ in range(2):  # A second look reads nothing again.
        told = {series["name"]: series["values"] for series in traffic.look()["series"]}
    assert sum(told[name_of(told, "champion")][-2:]) == 2
    assert sum(told[name_of(told, "b")]) == 1  # What is older than an hour is not shown.


def name_of(told: dict[str, Any], arm: str) -> str:
    return next(name for name in told if name.startswith(f"{arm},"))
