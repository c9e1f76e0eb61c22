"""The transform of ab-report, on folders as a datum has them."""

from __future__ import annotations

import io
import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec import structs
from PIL import Image

from chexnet.adapters.memory import MemoryStore
from chexnet.errors import NotFound
from chexnet.experiments import decisions
from chexnet.experiments.control import read
from chexnet.experiments.observed import observe
from chexnet.experiments.registered import FILE, REPO, Registered, on_record, register
from chexnet.messages import CHAMPION, Feedback, decode_json
from chexnet.pipelines import ab_report
from tests.unit.experiments.records import experiment, prediction
from tests.unit.experiments.test_flow import ME, NOW, World, world  # noqa: F401

LATER = NOW + timedelta(days=2)


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
    registered = register(world.bus, world.store, read(world.bus, "xray"), until=NOW)
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


def test_an_experiment_that_can_not_be_reported_keeps_no_other_from_its_report(
    datum: Path,
) -> None:
    """A split whose exposure grew after it was put on record stopped all reports for good."""
    good = decode_json((datum / "experiments/e" / FILE).read_bytes(), Registered)
    bad = structs.replace(good.experiment, name="a-split", design="split")
    stale = structs.replace(good, control=structs.replace(good.control, experiment=bad))
    _put(datum / "experiments/a-split" / FILE, structs.replace(stale, exposures={1: 0.1}).encode())
    one = prediction("x", "x", CHAMPION, {"Effusion": 0.5}, experiment="a-split", revision=9)
    _put(datum / "predictions/data/20260101/x/x.champion.answer.json", one.encode())
    _put(datum / "experiments/broken" / FILE, b"{")
    assert ab_report.main() == 0
    assert "Received: revision 9 beside 1." in (datum / "out/a-split/report.html").read_text()
    assert "JSON" in json.loads((datum / "out/broken/report.json").read_bytes())["error"]
    assert json.loads((datum / "out/e/report.json").read_bytes())["arms"]["b"]


def test_a_table_that_was_archived_twice_is_read_once(datum: Path) -> None:
    ab_report.main()
    told = (datum / "out/e/report.json").read_bytes()
    for file in list((datum / "feedback").rglob("*.json")):
        again = structs.replace(decode_json(file.read_bytes(), Feedback), recorded_at=LATER)
        _put(datum / f"feedback/data/20260301/x/{file.name}", again.encode())
    shutil.rmtree(datum / "out/e")
    ab_report.main()
    assert (datum / "out/e/report.json").read_bytes() == told


def test_all_experiments_are_put_on_record_as_they_ended(world: World) -> None:  # noqa: F811
    def files(until: datetime) -> dict[str, Registered]:
        made = on_record(world.bus, world.store, "xray", until=until)
        world.store.ensure(REPO)
        world.store.write(REPO, made)
        return {path: decode_json(data, Registered) for path, data in made.items()}

    world.start(experiment(design="split", metric="brier", lag_days=7.0), 0.25)
    (running,) = files(NOW).values()
    assert (running.exposures, running.until) == ({running.control.revision: 0.25}, NOW)
    decisions.expose(world.bus, read(world.bus, "xray"), 0.5, ME)
    end = structs.replace(ME, at=NOW + timedelta(hours=1))
    decisions.stop(world.bus, read(world.bus, "xray"), end, {})
    world.start(experiment(name="f"), 1.0)
    both = files(LATER)
    ended = both[f"/e/{FILE}"]
    assert (sorted(ended.exposures.values()), ended.until) == ([0.25, 0.5], end.at)
    assert both[f"/f/{FILE}"].until == LATER
    assert list(files(LATER + timedelta(days=1))) == [f"/f/{FILE}"]  # What has ended stays.


def test_an_experiment_whose_version_is_gone_stays_as_it_was(world: World) -> None:  # noqa: F811
    world.start(experiment(), 1.0)
    empty = MemoryStore()
    with pytest.raises(NotFound):
        on_record(world.bus, empty, "xray", until=NOW)
    decisions.stop(world.bus, read(world.bus, "xray"), ME, {})
    assert on_record(world.bus, empty, "xray", until=NOW) == {}
