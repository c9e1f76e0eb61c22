"""A model that was trained in a store is evaluated from there, whatever its input."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chexnet.cli.main import app
from chexnet.pipelines import lines
from chexnet.training.params import Params
from tests import sites
from tests.sites import PROJECT, Site
from tests.waveform import signals

pytestmark = pytest.mark.slow


@pytest.fixture
def waveform(tmp_path: Path) -> Iterator[Site]:
    with sites.site(tmp_path, "waveform") as made:
        yield made


def test_a_trained_line_is_evaluated_on_the_newest_dataset(
    waveform: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals.write(tmp_path / "signals", 400)
    waveform.import_(tmp_path / "signals", "signals")
    waveform.settled()
    dataset = waveform.cut()
    params = Params(config="demo_a", model="waveform_cnn", quick=False)
    job = lines.start(waveform.store, waveform.pipelines, "a", dataset.name, params)
    trained = lines.finished(waveform.store, waveform.pipelines, job)
    assert trained.card.temperature is not None

    settings = {
        "ENV_FILE": str(tmp_path / "none.env"),
        "STATE": str(tmp_path),
        "PIPELINE": PROJECT,
        "INPUT": "waveform",
        "STORE__ADDRESS": waveform.address,
        "KAFKA__BOOTSTRAP": "nowhere:1",
        "SERVING__REPLICAS": "nowhere:1",
        "GATEWAY__URL": "http://nowhere",
        "GATEWAY__TOKEN_FILE": str(tmp_path / "none"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"CHEXNET_{name}", value)
    words = ["evaluate", "models-a", "--rounds", "200", "--out", str(tmp_path / "out"), "--json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["subject"] == trained.name
    assert found["data"] == f"test of {dataset.name}"
    assert found["images"] == dataset.index.images["test"]
    assert found["chosen_on"] == "other images"
    # What training said of the same images: it asked the model before it was exported.
    said = trained.card.metrics["test"]["auroc"]
    for label in found["labels"]:
        assert label["auroc"]["value"] == pytest.approx(said[label["name"]]["value"], abs=1e-6)
    assert (tmp_path / "out" / "evaluation.html").exists()
