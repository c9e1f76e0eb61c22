"""Data through the pipelines images and dataset: real processes, whatever the input."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file
from typer.testing import CliRunner

from chexnet.adapters.memory import MemoryBus
from chexnet.cli.main import app
from chexnet.data import places
from chexnet.data.checkout import unpack
from chexnet.errors import NotFound, Refused
from chexnet.inputs.base import Limits
from chexnet.messages import Message
from chexnet.pipelines.cut import every
from chexnet.steps.preprocess import preprocess
from tests import sites
from tests.images import film
from tests.sites import Site
from tests.waveform import signals

pytestmark = pytest.mark.slow


@pytest.fixture
def xray(tmp_path: Path) -> Iterator[Site]:
    with sites.site(tmp_path, "chest_xray") as made:
        yield made


@pytest.fixture
def waveform(tmp_path: Path) -> Iterator[Site]:
    with sites.site(tmp_path, "waveform") as made:
        yield made


def films(count: int, seed: int = 0) -> list[bytes]:
    random = np.random.default_rng(seed)
    return [film(random, 32) for _ in range(count)]


def canonical(site: Site, sent: list[Message]) -> dict[str, bytes]:
    """Return where preprocess' result belongs in `images`, and the bytes that go on the bus."""
    expected = {}
    for upload in sent:
        (image,) = preprocess(upload, source=site.source, limits=Limits())
        assert isinstance(image, Message), image
        stem = f"{upload.headers.upload_id}.{upload.headers.image_id}"
        day = f"{upload.headers.created_at:%Y%m%d}"
        expected[f"/data/{day}/{upload.key}/{stem}.npy"] = image.value
    return expected


def images(site: Site) -> dict[str, bytes]:
    """Return the pixels of repo `images`."""
    arrays = {p: np.load(io.BytesIO(d)) for p, d in site.store.fetch("images", places.DATA)}
    assert all((a.shape, a.dtype) == (site.source.shape, np.uint8) for a in arrays.values())
    return {path: array.tobytes() for path, array in arrays.items()}


def test_uploads_open_no_dataset_or_training_and_a_cut_opens_exactly_one(xray: Site) -> None:
    before = {name: xray.jobs(name) for name in ("dataset", "models-a", "models-b")}
    sent = films(1000)
    for start in range(0, 1000, 250):
        xray.read(xray.upload(sent[start : start + 250]), "Effusion")
    job = xray.settled()
    assert (job.state, job.total) == ("success", 1000)
    assert {name: xray.jobs(name) for name in before} == before

    made = xray.cut()
    assert made.new
    assert sum(made.index.images.values()) == made.report.images == 1000
    opened = set(xray.jobs("dataset")) - set(before["dataset"])
    assert opened == {made.commit}
    again = xray.cut()
    assert (again.commit, again.new) == (made.commit, False)
    assert {name: xray.jobs(name) for name in before} == {
        **before,
        "dataset": [made.commit, *before["dataset"]],
    }

    more = xray.upload(films(50, seed=1))
    job = xray.settled()
    assert (job.processed, job.skipped, job.total) == (50, 1000, 1050)
    xray.read(more, "Mass")
    assert xray.cut().report.images == 1050


def test_images_are_what_preprocess_puts_on_the_bus(xray: Site, shared: Path) -> None:
    real = [
        *sorted((shared / "nih-sample" / "original").glob("*.png")),
        *sorted((shared / "nih-sample" / "images").glob("*.png"))[:40],
        *sorted((shared / "dicom").glob("*.dcm")),
        Path(str(get_testdata_file("RG1_UNCR.dcm"))),
    ]
    sent = xray.upload(file.read_bytes() for file in real)
    assert len(sent) > 40
    assert xray.settled().processed == len(sent)
    assert images(xray) == canonical(xray, sent)


def test_a_file_that_nobody_can_read_is_told_and_the_others_go_in(xray: Site) -> None:
    good = xray.upload(films(3))
    bad = f"/data/20260101/p1/u1.{'0' * 64}.png"
    xray.store.write("raw", {bad: films(1)[0][:300]})
    job = xray.settled()
    assert (job.state, job.processed + job.skipped, job.recovered) == ("success", 3, 1)
    told = [d for d in xray.pipelines.datums("images", job.id) if d.state == "recovered"]
    assert [d.inputs for d in told] == [(bad,)]
    assert "must be whole and valid" in " ".join(
        line.text for line in xray.pipelines.logs("images", job.id, datum=told[0].id)
    )
    assert images(xray) == canonical(xray, good)


def test_another_input_goes_the_same_way(waveform: Site, tmp_path: Path) -> None:
    signals.write(tmp_path / "traces", 120)
    done = waveform.import_(tmp_path / "traces", "traces")
    assert (done.images, done.sent, done.failed) == (120, 120, ())
    made = waveform.cut()
    assert made.index.labels == ("Fast", "Irregular", "Dropout")
    files = tmp_path / "dataset"
    for path, data in waveform.store.fetch("dataset", "/", made.commit):
        target = files / path[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    (tmp_path / "arrays").mkdir()
    data = unpack(files, made.name, tmp_path / "arrays")
    drawn = {}
    for signal in signals.draw(120):
        cleaned = waveform.source.clean(signal.data, Limits())
        drawn[cleaned.image_id] = (signal, waveform.source.decode(cleaned.data, Limits()))
    assert sorted(data.image_id.tolist()) == sorted(drawn)
    for number, image in enumerate(data.image_id.tolist()):
        signal, x = drawn[image]
        assert np.array_equal(data.x[number], x)
        assert data.y[number].tolist() == [int(signal.findings[n]) for n in data.index.labels]
        assert data.unit[number] == signal.patient


def test_a_patient_without_files_leaves_images_and_the_next_dataset(
    waveform: Site, tmp_path: Path
) -> None:
    signals.write(tmp_path, 40)
    waveform.import_(tmp_path, "traces")
    assert waveform.cut().report.images == 40
    paths = waveform.store.list("nih", "/data/traces/P00003")
    assert len(paths) == 2
    waveform.store.write("nih", {}, remove=paths)
    job = waveform.settled()
    assert (job.processed, job.skipped, job.total) == (0, 38, 38)
    assert waveform.store.list("images", "/data/traces/P00003") == []
    made = waveform.cut()
    assert (made.report.images, made.report.absent) == (38, 2)


def test_there_is_nothing_to_cut_before_anything_is_in(waveform: Site) -> None:
    with pytest.raises(NotFound, match="none in repo images"):
        waveform.cut()


def test_a_cut_whose_job_failed_is_tried_again_and_one_that_was_left_goes_on(
    waveform: Site, tmp_path: Path
) -> None:
    signals.write(tmp_path / "one", 30)
    waveform.import_(tmp_path / "one", "one")
    first = waveform.cut()
    table = waveform.store.read("labels", "/one.csv")
    waveform.store.write("labels", {"/one.csv": b"nothing"})
    with pytest.raises(Refused, match="must have the column image_id"):
        waveform.cut()
    with pytest.raises(Refused, match="must have the column image_id"):
        waveform.cut()  # Not: nothing is new since the first one.
    waveform.store.write("labels", {"/one.csv": table})
    mended = waveform.cut()
    assert mended.new
    assert mended.index == first.index

    (tmp_path / "two").mkdir()
    signals.write(tmp_path / "two", 10, seed=1)
    waveform.import_(tmp_path / "two", "two")
    waveform.settled()
    heads = {(repo, "curated"): waveform.store.head(repo) for repo in ("images", "labels")}
    left = waveform.pipelines.move(heads)  # As a cut does that is killed here.
    after = waveform.cut()
    assert (after.commit, after.report.images) == (left, 40)


def test_the_same_files_in_newer_commits_are_nothing_new(waveform: Site, tmp_path: Path) -> None:
    signals.write(tmp_path / "one", 10)
    waveform.import_(tmp_path / "one", "one")
    made = waveform.cut()
    waveform.store.write("nih", {"/note": b"not below /data"})
    assert waveform.settled().skipped == 10
    assert waveform.pipelines.branch("images", "curated") != waveform.store.head("images")
    again = waveform.cut()
    assert (again.commit, again.new) == (made.commit, False)
    assert [one.commit for one in every(waveform.store, waveform.pipelines, 20)] == [made.commit]


def test_the_commands_say_what_was_done_and_what_comes_next(
    waveform: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {
        "ENV_FILE": tmp_path / "none.env",
        "PIPELINE": sites.PROJECT,
        "INPUT": "waveform",
        "STATE": tmp_path,
        "KAFKA__BOOTSTRAP": "127.0.0.1:1",
        "STORE__ADDRESS": waveform.address,
        "SERVING__REPLICAS": "127.0.0.1:1",
        "GATEWAY__URL": "http://127.0.0.1:1",
        "GATEWAY__TOKEN_FILE": tmp_path / "token",
    }
    for name, value in told.items():
        monkeypatch.setenv(f"CHEXNET_{name}", str(value))

    # Nobody has read anything, and no experiment runs: all that a cut asks the bus for.
    monkeypatch.setattr("chexnet.adapters.kafka.KafkaBus", lambda _: MemoryBus())

    def chexnet(*words: str) -> str:
        done = CliRunner().invoke(app, list(words))
        assert done.exit_code == 0, done.output
        return done.output

    signals.write(tmp_path / "traces", 20)
    (tmp_path / "traces" / "trace-00003.csv").write_text("hello")
    said = chexnet("data", "import", str(tmp_path / "traces"))
    assert "Left out trace-00003.csv: " in said
    assert "traces holds 19 images; 19 are new" in said
    assert "chexnet dataset cut" in said
    made = json.loads(chexnet("dataset", "cut", "--json"))
    assert (made["new"], sum(made["images"].values()), made["report"]["images"]) == (True, 19, 19)
    assert made == {**json.loads(chexnet("dataset", "show", "--json")), "new": True}
    (listed,) = json.loads(chexnet("dataset", "list", "--json"))
    assert listed["dataset"] == made["dataset"]
    said = chexnet("dataset", "cut")
    assert f"Nothing is new since {made['dataset']}" in said
    assert f"chexnet train --line a --dataset {made['dataset']}" in said
    assert "19" in chexnet("dataset", "list")
