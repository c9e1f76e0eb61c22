"""The playbooks that people decide by, on the pipeline of the second input."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from chexnet.adapters.pachyderm import PachydermStore
from chexnet.data.curation import WHO
from chexnet.settings import Settings
from tests.commands import chexnet, chexnet_json
from tests.playbooks import Outcome, Site
from tests.waveform import signals

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]
TRAINING = {"line": "b", "config": "demo_a", "model": "waveform_cnn"}


def play(settings: Settings, playbook: str, **variables: object) -> Outcome:
    site = Site(settings.state, {"pipeline": settings.pipeline})
    return site.play(playbook, **variables)


def read_traces(settings: Settings, folder: Path, seed: int) -> None:
    """Upload traces, and import what a reader found in them without seeing any output."""
    signals.write(folder, 12, seed=seed)
    sent = folder / "sent.json"
    told = chexnet(settings, "upload", *folder.glob("trace-*.csv"), "--wait", "--json").stdout
    sent.write_text(told)
    options = ("--reader", "jd", "--protocol", "blinded", "--uploads", sent)
    chexnet(settings, "feedback", "import", folder / "labels.csv", *options)


@pytest.fixture(scope="module")
def retrained(waveform: Settings, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    read_traces(waveform, tmp_path_factory.mktemp("read"), seed=77)
    return play(waveform, "retrain", **TRAINING)


def test_a_retraining_goes_from_reads_to_a_challenger_in_shadow(
    retrained: Outcome, waveform: Settings
) -> None:
    assert retrained.code == 0, retrained.output
    store = PachydermStore(waveform.store, waveform.pipeline)
    said = list(csv.DictReader(io.StringIO(store.read("labels", WHO).decode())))
    assert {row["reader"] for row in said} == {"jd"}
    control = chexnet_json(waveform, "status")["control"]
    assert control["experiment"]["design"] == "shadow"
    assert control["experiment"]["name"] == f"retrained-b-{control['arms']['b']}"
    (trained,) = chexnet_json(waveform, "lineage", str(control["arms"]["b"]))["links"]
    assert trained["links"]


def test_each_epoch_is_told_when_it_has_ended(retrained: Outcome) -> None:
    told = re.findall(r"item=epoch (\d+)/(\d+) step .*? val_auroc", retrained.output)
    assert [int(epoch) for epoch, _ in told] == list(range(1, int(told[0][1]) + 1))


@pytest.mark.usefixtures("retrained")
def test_what_is_read_while_the_experiment_runs_is_held_back_until_it_ends(
    waveform: Settings, tmp_path: Path
) -> None:
    read_traces(waveform, tmp_path, seed=78)
    (report,) = (waveform.state / "reports").glob("retrained-b-*.html")
    report.unlink()
    skipped = play(waveform, "retrain", **TRAINING)
    assert skipped.code == 0, skipped.output
    assert f"{report.stem} is still running" in skipped.output
    assert "Train b" not in skipped.output
    assert report.stem in report.read_text()
    before = chexnet_json(waveform, "labels", "merge")
    assert before["held"] == 12
    assert play(waveform, "experiment", do="stop", reason="tests").code == 0
    after = chexnet_json(waveform, "labels", "merge")
    assert (after["held"], after["reads"]) == (0, before["reads"] + 12)


@pytest.mark.usefixtures("retrained")
def test_a_training_that_was_left_is_followed_to_its_end(waveform: Settings) -> None:
    options = ("--config", "demo_a", "--model", "waveform_cnn", "--quick")
    opened = chexnet_json(waveform, "train", "--line", "b", *options, "--detach")
    done = play(waveform, "train", line="b", job=opened["job"], release=False)
    assert done.code == 0, done.output
    assert f"models-b@{opened['job']}" in done.output


def test_the_pipelines_are_seen_and_run_by_playbook(waveform: Settings, tmp_path: Path) -> None:
    listed = play(waveform, "pipeline", do="list")
    assert listed.code == 0, listed.output
    assert "name: images" in listed.output
    ran = play(waveform, "pipeline", do="run", pipeline_name="images")
    assert ran.code == 0, ran.output
    done, total = re.findall(r"item=(\d+) of (\d+): success", ran.output)[-1]
    assert done == total
    jobs = play(waveform, "pipeline", do="jobs", pipeline_name="images")
    assert "state: success" in jobs.output
    logs = play(waveform, "pipeline", do="logs", pipeline_name="dataset")
    assert "images: " in logs.output  # The transform's last line.
    picture = tmp_path / "pipelines.svg"
    assert play(waveform, "pipeline", do="graph", out=str(picture)).code == 0
    assert "images" in picture.read_text()
    refused = play(waveform, "pipeline", do="run")
    assert "with a name for" in refused.output


def test_whom_nobody_knows_is_not_forgotten(waveform: Settings) -> None:
    outcome = play(waveform, "forget", pseudonym="nobody", dry_run=True)
    assert outcome.code != 0
    assert "of whom nothing is kept" in outcome.output


@pytest.mark.parametrize(
    ("playbook", "missing"),
    [("train", "line=b"), ("retrain", "line=b"), ("nih", "line=a"), ("forget", "pseudonym=")],
)
def test_a_playbook_refuses_to_guess(waveform: Settings, playbook: str, missing: str) -> None:
    outcome = play(waveform, playbook)
    assert outcome.code != 0
    assert missing in outcome.output
