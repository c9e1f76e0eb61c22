"""Real films go the whole way: NIH's files → dataset → training → evaluation → release → answer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from chexnet.adapters.pachyderm import PachydermStore
from chexnet.data.places import LABELS
from chexnet.inputs.base import load
from chexnet.models import card as cards
from chexnet.runtime.archiver import sole_writer
from chexnet.settings import Settings
from tests.commands import chexnet, chexnet_json
from tests.playbooks import Site

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]
FILES = ("Data_Entry_2017_v2020.csv", "train_val_list.txt", "test_list.txt")


@pytest.fixture(scope="module")
def nih(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """NIH's files as they lie in a folder after a download: 421 films."""
    folder = tmp_path_factory.mktemp("nih")
    shutil.copytree(shared / "nih-sample/images", folder / "images")
    for name in FILES:
        shutil.copy(shared / "nih-sample" / name, folder)
    return folder


@pytest.fixture(scope="module")
def films_alone(champion: Settings) -> Iterator[None]:
    """Every other import is out, and comes back at the end."""
    store = PachydermStore(champion.store, champion.pipeline)
    names = [one["name"] for one in chexnet_json(champion, "data", "list")]
    tables = {f"/{name}.csv": store.read(LABELS, f"/{name}.csv") for name in names}
    for name in names:
        chexnet_json(champion, "data", "remove", name)
    yield
    with sole_writer(champion.lock("labels")):
        store.write(LABELS, tables)


@pytest.fixture(scope="module")
def version(champion: Settings, nih: Path, films_alone: None) -> Iterator[int]:
    """A version that learnt from them in three epochs, by one playbook, and answers."""
    site = Site(champion.state, {"pipeline": champion.pipeline})
    given = {"line": "b", "config": "demo_a", "split": "official", "epochs": 3}
    told = site.play("nih", folder=str(nih), download=False, **given)
    assert told.code == 0, told.output
    assert "item=epoch 3/3 step" in told.output
    for part in ("thresholds", "subgroups", "limits"):
        assert f"{part}:" in told.output.rpartition("Show its card")[2]
    made = int(chexnet_json(champion, "release", "--line", "b")["version"])
    chexnet(champion, "promote", str(made), "--force", "--reason", "tests: films of NIH")
    yield made
    chexnet(champion, "rollback", "--reason", "tests")


@pytest.fixture(scope="module")
def released(champion: Settings, version: int) -> Path:
    assert champion.serving.models
    return champion.serving.models / champion.model / str(version)


def test_a_dataset_has_the_films_alone(champion: Settings, version: int) -> None:
    report = chexnet_json(champion, "dataset", "show")["report"]
    assert report["images"] - report["read"] <= 421 <= report["images"]


def test_an_evaluation_has_figures_for_each_label_and_group(
    champion: Settings, version: int, tmp_path: Path
) -> None:
    found = chexnet_json(champion, "evaluate", str(version), "--rounds", "200", "--out", tmp_path)
    assert found["images"] >= 47  # NIH's test films.
    assert [label["name"] for label in found["labels"]] == list(load("chest_xray").labels)
    judged = [label for label in found["labels"] if not label["missing"]]
    assert len(judged) >= 3
    for label in judged:
        assert label["auroc"]["low"] <= label["auroc"]["value"] <= label["auroc"]["high"]
        assert {at["rule"] for at in label["operating"]} >= {"card", "youden"}
    groups = {(group["attribute"], group["value"]): group["images"] for group in found["subgroups"]}
    assert groups["sex", "F"] + groups["sex", "M"] == groups["view", "PA"] + groups["view", "AP"]
    assert sum(n for (attribute, _), n in groups.items() if attribute == "age") >= 40
    assert "Hernia" in (tmp_path / "evaluation.md").read_text()


def test_the_served_answer_is_the_trainers(champion: Settings, nih: Path, released: Path) -> None:
    source, film = load("chest_xray"), sorted((nih / "images").glob("*.png"))[7]
    cleaned = source.clean(film.read_bytes(), champion.limits.of_input)
    x = source.decode(cleaned.data, champion.limits.of_input)
    signature = tf.saved_model.load(str(released)).signatures["serving_default"]
    with np.load(released / cards.GOLDEN) as golden:  # What the trainer's own process said.
        said = signature(x=tf.constant(golden["x"]))["probabilities"].numpy()
        np.testing.assert_allclose(said, golden["probabilities"], atol=1e-3)
    said = signature(x=tf.constant(x[None]))["probabilities"].numpy()[0]
    answer = chexnet_json(champion, "predict", film)
    assert answer["version"] == int(released.name)
    np.testing.assert_allclose(list(answer["probabilities"].values()), said, atol=1e-3)


def test_the_official_split_is_kept_from_the_table_to_the_card(nih: Path, released: Path) -> None:
    card = cards.read(released)
    assert card.params["epochs"] == 3
    learnt = set(card.training_units)
    films = (nih / "test_list.txt").read_text().split()
    there = {file.name for file in (nih / "images").iterdir()}
    test = {f"nih-{int(name[:8])}" for name in films if name in there}
    assert len(test) == 47
    assert not test & learnt
    assert sum(unit.startswith("nih-") for unit in learnt) == 421 - 47
