"""A model is judged on what it has not learnt from, and by what its release says of the images."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import keras
import numpy as np
import pytest
from msgspec import structs
from typer.testing import CliRunner

from chexnet import release as releases
from chexnet.adapters.memory import MemoryStore
from chexnet.cli.evaluate import record_with
from chexnet.cli.main import app
from chexnet.data import phantoms
from chexnet.data.labels import LABELS_FILE
from chexnet.errors import BadInput, ConfigError, NotFound
from chexnet.evaluation.evaluate import Plan
from chexnet.evaluation.record import Evaluation
from chexnet.inputs.chest_xray import ChestXray
from chexnet.messages import Release, decode_json
from chexnet.models import card as cards
from chexnet.models.export import export
from chexnet.models.released import Released
from chexnet.models.small_cnn import SmallCNN
from chexnet.release import TREE
from chexnet.runtime import subjects
from chexnet.runtime.evaluating import Question, answer
from chexnet.runtime.judging import of_dataset
from tests import datasets

SOURCE = ChestXray()
QUICK = Plan(rounds=100)


def nowhere() -> NoReturn:
    raise AssertionError("files alone need no platform")


def question(what: Path | str, on: Path | str = "dataset", **given) -> Question:
    blank = dict.fromkeys(("reference", "images", "tune", "boxes"))
    return Question(
        **{
            "what": str(what),
            "on": str(on),
            "split": "test",
            "input": "chest_xray",
            **blank,
            **given,
        }
    )


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    assert len(list(phantoms.write(folder, phantoms.plan(120, 3), size=128, processes=1))) == 120
    return folder


@pytest.fixture(scope="module")
def dataset(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset") / "files"
    datasets.folder(films, SOURCE, folder)
    return folder


@pytest.fixture(scope="module")
def card(dataset: Path) -> cards.Card:
    """Of a model that learnt from one patient of the test split, whoever that is."""
    with np.load(dataset / "shards/00000.npz") as shard:
        learnt = str(np.unique(shard["unit"][shard["split"] == "test"])[0])
    return cards.Card(
        line="a",
        network="small_cnn",
        input=SOURCE.name,
        labels=SOURCE.labels,
        shape=SOURCE.shape,
        thresholds=dict.fromkeys(SOURCE.labels, 0.5),
        temperature=1.5,
        feature_mean=(0.0,),
        feature_std=(1.0,),
        metrics={},
        dataset="dataset@1",
        training_units=(learnt,),
        training_digest=cards.digest([learnt]),
        code="0",
        seed=0,
        params={},
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
    )


@pytest.fixture(scope="module")
def release(card: cards.Card, tmp_path_factory: pytest.TempPathFactory) -> Path:
    keras.utils.set_random_seed(0)
    model = SmallCNN().build(SOURCE.shape, SOURCE.labels, resolution=32, width=4, blocks=2)
    folder = tmp_path_factory.mktemp("models") / "1"
    examples = np.random.default_rng(1).integers(0, 256, (3, *SOURCE.shape), dtype=np.uint8)
    export(model, folder, card, examples)
    return folder


@pytest.fixture
def store(release: Path, dataset: Path) -> MemoryStore:
    """The model as a commit of models-a and as version 3, and the dataset."""
    made = MemoryStore()
    for repo, folder, below in (("models-a", release, TREE), ("dataset", dataset, "")):
        made.ensure(repo)
        files = {f"{below}/{p.relative_to(folder).as_posix()}": p for p in folder.rglob("*")}
        made.write(repo, {path: p.read_bytes() for path, p in files.items() if p.is_file()})
    return made


def test_a_release_on_disk_answers_as_its_golden_outputs(release: Path) -> None:
    with np.load(release / cards.GOLDEN) as golden:
        answers = Released(release)(golden["x"])
        for name in ("probabilities", "features", "cam"):
            np.testing.assert_allclose(answers[name], golden[name], atol=1e-6)


def test_a_release_that_does_not_repeat_its_golden_outputs_is_refused(
    release: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "2"
    for file in release.rglob("*"):
        if file.is_file():
            copy = folder / file.relative_to(release)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    with np.load(release / cards.GOLDEN) as golden:
        wrong = {**golden, "probabilities": golden["probabilities"] + 0.1}
    np.savez(folder / cards.GOLDEN, **wrong)
    with pytest.raises(BadInput, match=r"within 0\.001\. Received: 0\.1 off"):
        Released(folder)


def test_patients_that_the_model_learnt_from_are_left_out_and_said(
    release: Path, dataset: Path, card: cards.Card
) -> None:
    model = Released(release)
    judged = of_dataset(model, lambda path: (dataset / path[1:]).read_bytes(), "test")
    with np.load(dataset / "shards/00000.npz") as shard:
        test = shard["split"] == "test"
        fair = test & (shard["unit"] != card.training_units[0])
        assert judged.scored.image.tolist() == shard["image_id"][fair].tolist()
        wanted = model(shard["x"][fair])["probabilities"]
        np.testing.assert_allclose(judged.scored.probabilities, wanted, atol=1e-6)
        np.testing.assert_array_equal(judged.scored.present, shard["y"][fair] == 1)
        assert judged.tuning is not None
        assert len(judged.tuning.image) == (shard["split"] == "validation").sum()
        count = (test & ~fair).sum()
    assert judged.notes[0].startswith(f"{count} images are of patients that the model learnt from")


def test_a_dataset_of_another_input_is_refused(release: Path, dataset: Path) -> None:
    def other(path: str) -> bytes:
        read = (dataset / path[1:]).read_bytes()
        return read.replace(b'"chest_xray"', b'"knee"') if path == "/index.json" else read

    with pytest.raises(ConfigError, match=r"model's input, chest_xray.*Received: knee"):
        of_dataset(Released(release), other, "test")


def test_a_folder_of_films_is_judged_as_the_dataset_of_the_same_films_is(
    release: Path, films: Path, dataset: Path
) -> None:
    of_files, scored = answer(question(release, films), QUICK, nowhere)
    of_shards, from_shards = answer(question(release, dataset), QUICK, nowhere)
    assert of_files.data == str(films)
    for found in (of_files, of_shards):
        assert {group.attribute for group in found.subgroups} == {"sex", "age", "view"}
    sums = {tuple(np.round(row, 5)) for row in scored.probabilities}
    assert sums >= {tuple(np.round(row, 5)) for row in from_shards.probabilities}
    # A model without fair validation images has thresholds and temperature of its own all the same.
    assert {at.rule for at in of_files.labels[2].operating} >= {"card", "youden"}
    assert (of_files.temperature, of_files.temperature_from) == (1.5, "the model's card")


def test_a_dataset_that_was_cut_before_details_were_kept_has_no_subgroups(
    release: Path, dataset: Path, tmp_path: Path
) -> None:
    (tmp_path / "shards").mkdir()
    (tmp_path / "index.json").write_bytes((dataset / "index.json").read_bytes())
    for shard in (dataset / "shards").iterdir():
        with np.load(shard) as file:
            kept = {name: file[name] for name in file.files if name != "details"}
        np.savez(tmp_path / "shards" / shard.name, **kept)
    found, _ = answer(question(release, tmp_path), QUICK, nowhere)
    assert found.subgroups == []


def test_heat_maps_are_held_against_boxes_and_files_that_fail_are_named(
    release: Path, films: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    with (films / LABELS_FILE).open() as file:
        names = [row["file"] for row in csv.DictReader(file)]
    for name in names[1:]:
        (folder / name).symlink_to(films / name)
    (folder / names[1]).unlink()
    (folder / names[1]).write_bytes(b"no film")
    boxes = tmp_path / "boxes.csv"
    lines = [f"{name},Mass,100,200,300,400,,," for name in names[2:12]]
    boxes.write_text("\n".join(["Image Index,Finding Label,Bbox [x,y,w,h],,,", *lines]))
    given = {"reference": films / LABELS_FILE, "boxes": boxes}
    found, _ = answer(question(release, folder, **given), QUICK, nowhere)
    assert {x.label for x in found.located} == {"Mass"}
    assert found.located[0].boxes <= 10
    assert any("1 images have no file" in note and names[0] in note for note in found.notes)
    assert any("1 images could not be read" in note and names[1] in note for note in found.notes)


def test_a_list_narrows_the_images(release: Path, films: Path, tmp_path: Path) -> None:
    with (films / LABELS_FILE).open() as file:
        names = [row["file"] for row in csv.DictReader(file)]
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(names[:40]))
    found, scored = answer(question(release, films, images=listed), QUICK, nowhere)
    assert set(scored.image) <= set(names[:40])
    assert found.images <= 40


def test_a_list_and_boxes_may_name_films_without_the_folder_that_a_table_names(
    release: Path, films: Path, tmp_path: Path
) -> None:
    (tmp_path / "images").mkdir()
    for film in films.glob("*.png"):
        (tmp_path / "images" / film.name).symlink_to(film)
    table, boxes = tmp_path / LABELS_FILE, tmp_path / "boxes.csv"
    with (films / LABELS_FILE).open() as file:
        rows = list(csv.DictReader(file))
    with table.open("w") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows([{**row, "file": f"images/{row['file']}"} for row in rows])
    listed, names = tmp_path / "list.txt", [row["file"] for row in rows]
    listed.write_text("\n".join(names[:40]))
    lines = [f"{name},Mass,100,200,300,400,,," for name in names[2:12]]
    boxes.write_text("\n".join(["Image Index,Finding Label,Bbox [x,y,w,h],,,", *lines]))
    given = {"reference": table, "images": listed, "boxes": boxes}
    found, scored = answer(question(release, tmp_path, **given), QUICK, nowhere)
    assert set(scored.image) <= {f"images/{name}" for name in names[:40]}
    assert found.images > 20
    assert {x.label for x in found.located} == {"Mass"}


def test_a_commit_and_a_folder_give_the_same(
    release: Path, dataset: Path, store: MemoryStore
) -> None:
    commit = store.head("models-a")
    asked = question(f"models-a@{commit}")
    found, _ = answer(asked, QUICK, lambda: store)
    wanted, _ = answer(question(release, dataset), QUICK, nowhere)
    assert found.subject == f"models-a@{commit}"
    assert found.data == f"test of dataset@{store.head('dataset')}"
    assert found.labels == wanted.labels
    newest, _ = answer(question("models-a"), QUICK, lambda: store)
    assert newest.subject == found.subject


def test_a_version_is_the_commit_that_it_was_released_from(
    card: cards.Card, store: MemoryStore
) -> None:
    commit = store.head("models-a")
    assert commit is not None
    record = Release(
        model="xray",
        version=3,
        repo="models-a",
        commit=commit,
        released_at=datetime(2026, 1, 2, tzinfo=UTC),
        released_by="me",
        line="a",
        network=card.network,
        dataset=card.dataset,
        labels=card.labels,
        metrics={},
        code="0",
        sha256="",
    )
    store.ensure("releases")
    store.write("releases", {"/releases/3.json": record.encode()})
    with subjects.release("3", lambda: store) as (called, folder):
        assert called == f"version 3 (models-a@{commit})"
        assert cards.read(folder) == card
    found, _ = answer(question("3"), QUICK, lambda: store)
    assert found.mean_auroc is not None
    assert record_with(store, 3, found)  # Its card has no figures: it keeps these.
    kept = releases.read(store, 3).metrics["evaluated"]
    assert kept["macro_auroc"]["value"] == found.mean_auroc.value
    assert (kept["data"], kept["images"]) == (found.data, found.images)
    assert not record_with(store, 3, found)


@pytest.mark.parametrize("name", ["models-z", "7"])
def test_what_is_no_model_is_named(store: MemoryStore, name: str) -> None:
    with (
        pytest.raises(NotFound, match=rf"Received: '?{name}"),
        subjects.release(name, lambda: store),
    ):
        pass


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"what": "said.csv"}, "Predictions need --reference"),
        ({"what": "said.csv", "reference": Path("a"), "boxes": Path("b")}, "--boxes needs"),
        ({"what": "3", "tune": Path("a")}, "--tune is for predictions"),
        ({"what": "3", "split": "half"}, "--split must be one of.*'half'"),
        ({"what": "3", "boxes": Path("b")}, "--boxes go with a folder of image files"),
    ],
)
def test_options_that_do_not_fit_together_are_named(given: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        answer(structs.replace(question("3"), **given), QUICK, nowhere)


@pytest.fixture
def predictions(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    rng = np.random.default_rng(0)
    said, known = tmp_path / "said.csv", tmp_path / "known.csv"
    rows = [(f"{n}.png", f"p{n // 2}", rng.random(), int(rng.random() < 0.4)) for n in range(80)]
    said.write_text("image_id,Mass\n" + "".join(f"{i},{p}\n" for i, _, p, _ in rows))
    known.write_text("image_id,patient,Mass\n" + "".join(f"{i},{w},{y}\n" for i, w, _, y in rows))
    return said, known


def test_the_command_writes_three_files_without_a_platform(
    predictions: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHEXNET_ENV_FILE", str(tmp_path / "none.env"))
    said, known = predictions
    words = ["evaluate", str(said), "--reference", str(known), "--rounds", "100"]
    done = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "mean of 1" in done.output
    row = next(line for line in done.output.splitlines() if "Mass" in line)
    assert len(re.findall(r"0\.\d{4} \(0\.\d{3}.0\.\d{3}\)", row)) == 2  # Each in one line.
    found = decode_json((tmp_path / "out/evaluation.json").read_bytes(), Evaluation)
    assert (found.images, found.patients, found.mean_of) == (80, 40, ("Mass",))
    assert "| Mass |" in (tmp_path / "out/evaluation.md").read_text()
    assert "data:image/png" in (tmp_path / "out/evaluation.html").read_text()
    as_json = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "out"), "--json"])
    assert json.loads(as_json.output)["schema"] == "evaluation/1"


def test_thresholds_of_other_predictions_must_be_of_other_images(
    predictions: tuple[Path, Path], tmp_path: Path
) -> None:
    said, known = predictions
    with pytest.raises(ConfigError, match="Received: 80 in both"):
        answer(question(said, reference=known, tune=said), QUICK, nowhere)
    lines = said.read_text().splitlines(keepends=True)
    half, other = tmp_path / "half.csv", tmp_path / "other.csv"
    half.write_text("".join(lines[:41]))
    other.write_text("".join([lines[0], *lines[41:]]))
    found, scored = answer(question(half, reference=known, tune=other), QUICK, nowhere)
    assert (found.images, found.chosen_on) == (40, "other images")
    assert len(scored.image) == 40


@pytest.mark.slow
def test_real_films_are_judged_by_nihs_own_files(release: Path, shared: Path) -> None:
    sample = shared / "nih-sample"
    given = {
        "reference": sample / "Data_Entry_2017_v2020.csv",
        "boxes": sample / "BBox_List_2017.csv",
    }
    found, scored = answer(question(release, sample / "images", **given), QUICK, nowhere)
    assert (found.images, found.patients) == (421, 421)
    assert found.notes == []
    assert {group.value for group in found.subgroups if group.attribute == "view"} == {"AP", "PA"}
    with (sample / "BBox_List_2017.csv").open() as file:
        drawn = [row[1] for row in list(csv.reader(file))[1:]]
    counted = {x.label: x.boxes for x in found.located}
    assert sum(counted.values()) == len(drawn)
    assert set(counted) == {"Infiltration" if name == "Infiltrate" else name for name in drawn}
    assert len(set(scored.image)) == 421
