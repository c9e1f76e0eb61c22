"""Training from a dataset's commit to a committed release, on an input that is no image."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from chexnet.adapters.memory import MemoryStore
from chexnet.data.checkout import checkout
from chexnet.data.dataset import build
from chexnet.data.labels import read_labels
from chexnet.errors import ConfigError
from chexnet.inputs.base import Limits, load
from chexnet.models import card as cards
from chexnet.training.callbacks import Progress
from chexnet.training.recipe import Adam, Cosine, Recipe
from chexnet.training.run import Finished, run
from tests.unit.data.test_dataset import folder_of

SOURCE = load("waveform")
RECIPE = Recipe(
    model="waveform_cnn",
    options={"width": 8},
    optimizer=Adam(learning_rate=5e-3),
    schedule=Cosine(),
    batch_size=16,
    epochs=6,
    keep_best="val_auroc",
)


def trained(
    store: MemoryStore, state: Path, recipe: Recipe = RECIPE, progress: list[Progress] | None = None
) -> Finished:
    return run(
        store,
        SOURCE,
        recipe,
        line="a",
        config="waves",
        dataset="dataset",
        state=state,
        report=[].append if progress is None else progress.append,
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> MemoryStore:
    made = MemoryStore()
    folder = folder_of(tmp_path_factory.mktemp("signals"), 240, seed=1)
    rows = read_labels(folder / "labels.csv", SOURCE.labels)
    build(made, "dataset", SOURCE, rows, limits=Limits(), processes=1)
    return made


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def progress() -> list[Progress]:
    return []


@pytest.fixture(scope="module")
def finished(store: MemoryStore, state: Path, progress: list[Progress]) -> Finished:
    return trained(store, state, progress=progress)


def test_it_learns_better_than_chance_on_patients_it_never_saw(finished: Finished) -> None:
    area = finished.card.metrics["test"]["macro_auroc"]
    assert 0.5 < area["low"] < area["value"] < area["high"] < 1
    assert area["value"] > 0.75


def test_the_commit_holds_the_release_and_the_record_of_its_run(
    store: MemoryStore, finished: Finished
) -> None:
    paths = store.list("models-a", "/", finished.commit)
    assert {"/run.json", "/release/saved_model.pb", f"/release/{cards.GOLDEN}"} <= set(paths)
    record = json.loads(store.read("models-a", "/run.json", finished.commit))
    assert record["dataset"] == finished.card.dataset == f"dataset@{store.head('dataset')}"
    assert record["params"]["schedule"]["name"] == "Cosine"
    assert len(record["history"]["val_auroc"]) == 6
    stored = cards.parse(store.read("models-a", f"/release/{cards.CARD}", finished.commit))
    assert stored == finished.card


def test_the_card_names_everybody_whom_training_or_tuning_has_seen(
    store: MemoryStore, state: Path, finished: Finished
) -> None:
    data = checkout(store, "dataset", state / "datasets")
    test = data.rows("test")
    seen = set(finished.card.training_units)
    assert not seen & {*data.unit[test].tolist(), *data.image_id[test].tolist()}
    assert len(seen) == len(set(data.unit[data.split != "test"])) + (data.split != "test").sum()
    assert finished.card.training_digest == cards.digest(seen)


def test_golden_images_are_no_patients(
    store: MemoryStore, state: Path, finished: Finished, tmp_path: Path
) -> None:
    golden = tmp_path / "golden.npz"
    golden.write_bytes(store.read("models-a", f"/release/{cards.GOLDEN}", finished.commit))
    x = np.load(golden)["x"]
    data = checkout(store, "dataset", state / "datasets")
    assert x.shape == (4, 256, 1)
    assert not any((image == data.x).all(axis=(1, 2)).any() for image in x)


def test_progress_counts_every_step_and_tells_what_validation_found(
    finished: Finished, progress: list[Progress]
) -> None:
    steps = progress[0].steps
    stepwise = [(p.epoch, p.step) for p in progress if p.val_auroc is None]
    assert stepwise == [(e, s) for e in range(1, 7) for s in range(1, steps + 1)]
    assert [p.epoch for p in progress if p.val_auroc is not None] == list(range(1, 7))
    best = max(p.val_auroc or 0 for p in progress)
    kept = finished.card.metrics["validation"]["macro_auroc"]["value"]
    assert kept == pytest.approx(best, abs=1e-6)


def test_tensorboard_has_the_curves_the_examples_and_the_card(
    state: Path, finished: Finished
) -> None:
    (folder,) = (state / "runs" / "a").iterdir()
    assert folder.name.endswith("-waves")
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    tags = set(events.Tags()["tensors"])
    assert {
        "loss/train",
        "loss/validation",
        "learning_rate",
        "auroc/mean",
        "auroc/Fast",
        "auroc/Irregular",
        "auroc/Dropout",
        "speed/images_per_second",
        "card",
    } <= tags
    assert len([tag for tag in tags if tag.startswith("examples/")]) == 6
    assert [event.step for event in events.Tensors("auroc/mean")] == [1, 2, 3, 4, 5, 6]


def test_the_same_seed_gives_the_same_losses_and_another_one_others(
    store: MemoryStore, state: Path, tmp_path: Path
) -> None:
    short = replace(RECIPE, epochs=2)
    losses = []
    for seed in (1, 1, 2):
        told: list[Progress] = []
        trained(store, tmp_path, replace(short, seed=seed), told)
        losses.append([p.loss for p in told])
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_a_line_must_have_a_name_that_repos_can_have(store: MemoryStore, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'\.\./b'"):
        run(store, SOURCE, RECIPE, line="../b", config="c", dataset="dataset", state=tmp_path)


def test_options_that_the_network_does_not_have_are_refused(
    store: MemoryStore, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="resolution"):
        trained(store, tmp_path, replace(RECIPE, options={"resolution": 3}))


def test_what_is_no_image_is_not_flipped(store: MemoryStore, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Only images"):
        trained(store, tmp_path, replace(RECIPE, flip=True))


def test_a_dataset_of_another_input_is_refused(tmp_path: Path) -> None:
    other, store = load("waveform"), MemoryStore()
    other.labels = ("Fast", "Slow", "Dropout")
    (tmp_path / "files").mkdir()
    folder = folder_of(tmp_path / "files", 3)
    rows = read_labels(folder / "labels.csv", SOURCE.labels)
    build(store, "dataset", other, rows, limits=Limits(), processes=1)
    with pytest.raises(ConfigError, match="of the pipeline's input, waveform"):
        trained(store, tmp_path)


def test_a_dataset_without_validation_images_is_refused(tmp_path: Path) -> None:
    store = MemoryStore()
    (tmp_path / "files").mkdir()
    folder = folder_of(tmp_path / "files", 2)  # One patient: one split.
    rows = read_labels(folder / "labels.csv", SOURCE.labels)
    build(store, "dataset", SOURCE, rows, limits=Limits(), processes=1)
    with pytest.raises(ConfigError, match="train and validation"):
        trained(store, tmp_path)
