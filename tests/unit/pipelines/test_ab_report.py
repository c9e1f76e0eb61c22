"""The transform of ab-report, on folders as a datum has them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from chexnet.experiments.control import read
from chexnet.experiments.observed import observe
from chexnet.experiments.registered import FILE, register
from chexnet.pipelines import ab_report
from tests.unit.experiments.records import experiment
from tests.unit.experiments.test_flow import NOW, World, world  # noqa: F401


@pytest.fixture
def datum(world: World, tmp_path: Path, monkeypatch) -> Path:  # noqa: F811
    """A folder with the inputs of one datum: an experiment on 100 images, all of them read."""
    world.start(experiment(min_positive=5, min_cases=50), 1.0)
    world.predict(range(100))
    world.read(range(100))
    folder = tmp_path / "pfs"
    seen = observe(world.bus, world.store, until=NOW)
    for one in seen.predictions:
        _put(
            folder / f"predictions/data/20260101/{one.unit}/{one.prediction_id}.json", one.encode()
        )
    for one in seen.feedback:
        _put(folder / f"feedback/data/20260101/{one.unit}/{one.feedback_id}.json", one.encode())
    registered = register(world.store, read(world.bus, "xray"))
    _put(folder / "experiments/e" / FILE, registered.encode())
    (folder / "out").mkdir()
    monkeypatch.setenv("CHEXNET_PFS", str(folder))
    for name in ("predictions", "feedback", "experiments"):
        monkeypatch.setenv(name, str(folder / name))
        monkeypatch.setenv(f"{name}_COMMIT", f"commit of {name}")
    return folder


def _put(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def test_it_finds_what_the_desk_finds_and_says_on_which_commits(datum: Path, world: World) -> None:  # noqa: F811
    assert ab_report.main() == 0
    told = json.loads((datum / "out/e/report.json").read_bytes())
    by_desk = world.review()
    assert told["read_to"] == {
        "predictions": "commit of predictions",
        "feedback": "commit of feedback",
    }
    assert told["arms"]["b"] == json.loads(json.dumps(by_desk.plain()["arms"]["b"]))
    low, high = told["bootstrap"]["b"]
    assert low < told["arms"]["b"]["comparison"]["difference"]["value"] < high


def test_people_get_a_page_and_a_figure(datum: Path) -> None:
    ab_report.main()
    assert "b against champion" in (datum / "out/e/report.html").read_text()
    assert Image.open(io.BytesIO((datum / "out/e/report.png").read_bytes())).format == "PNG"


def test_an_experiment_that_nobody_read_has_a_report_without_intervals(datum: Path) -> None:
    for file in (datum / "feedback").rglob("*.json"):
        file.unlink()
    ab_report.main()
    told = json.loads((datum / "out/e/report.json").read_bytes())
    assert told["bootstrap"] == {}
    assert told["arms"]["b"]["comparison"]["difference"] is None
