"""Training from a dataset's commit to a committed release, on an input that is no image."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from chexnet.data.checkout import Dataset
from chexnet.errors import ConfigError
from chexnet.inputs.base import load
from chexnet.models import card as cards
from chexnet.models.card import Card
from chexnet.training.progress import Progress
from chexnet.training.recipe import Adam, Cosine, Recipe
from chexnet.training.run import run
from tests import datasets
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
    data: Dataset, folder: Path, recipe: Recipe = RECIPE, progress: list[Progress] | None = None
) -> Card:
    """Train into folder/out, with the curves in folder/runs."""
    (folder / "out").mkdir(exist_ok=True)
    return run(
        data,
        SOURCE,
        recipe,
        line="a",
        config="waves",
        out=folder / "out",
        runs=folder / "runs",
        report=[].append if progress is None else progress.append,
    )


def made(folder: Path, count: int, **options: int) -> Dataset:
    (folder / "traces").mkdir(parents=True)
    return datasets.dataset(folder_of(folder / "traces", count, **options), SOURCE, folder)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return made(tmp_path_factory.mktemp("data"), 240, seed=1)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def progress() -> list[Progress]:
    return []


@pytest.fixture(scope="module")
def card(data: Dataset, state: Path, progress: list[Progress]) -> Card:
    return trained(data, state, progress=progress)


def test_it_learns_better_than_chance_on_patients_it_never_saw(card: Card) -> None:
    area = card.metrics["test"]["macro_auroc"]
    assert 0.5 < area["low"] < area["value"] < area["high"] < 1
    assert area["value"] > 0.75


def test_it_leaves_the_release_and_the_record_of_its_run(state: Path, card: Card) -> None:
    out = state / "out"
    assert (out / "release/saved_model.pb").is_file()
    assert (out / "release" / cards.GOLDEN).is_file()
    record = json.loads((out / "run.json").read_bytes())
    assert record["dataset"] == card.dataset == "dataset@0"
    assert record["params"]["schedule"]["name"] == "Cosine"
    assert len(record["history"]["val_auroc"]) == 6
    assert cards.parse((out / "release" / cards.CARD).read_bytes()) == card


def test_the_card_names_everybody_whom_training_or_tuning_has_seen(
    data: Dataset, card: Card
) -> None:
    test = data.rows("test")
    seen = set(card.training_units)
    assert not seen & {*data.unit[test].tolist(), *data.image_id[test].tolist()}
    assert len(seen) == len(set(data.unit[data.split != "test"])) + (data.split != "test").sum()
    assert card.training_digest == cards.digest(seen)


def test_golden_images_are_no_patients(data: Dataset, state: Path, card: Card) -> None:
    x = np.load(state / "out" / "release" / cards.GOLDEN)["x"]
    assert x.shape == (4, 256, 1)
    assert not any((image == data.x).all(axis=(1, 2)).any() for image in x)


def test_progress_counts_every_step_and_tells_what_validation_found(
    card: Card, progress: list[Progress]
) -> None:
    steps = progress[0].steps
    stepwise = [(p.epoch, p.step) for p in progress if p.val_auroc is None]
    assert stepwise == [(e, s) for e in range(1, 7) for s in range(1, steps + 1)]
    assert [p.epoch for p in progress if p.val_auroc is not None] == list(range(1, 7))
    best = max(p.val_auroc or 0 for p in progress)
    kept = card.metrics["validation"]["macro_auroc"]["value"]
    assert kept == pytest.approx(best, abs=1e-6)


def test_tensorboard_has_the_curves_the_examples_and_the_card(state: Path, card: Card) -> None:
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
    data: Dataset, tmp_path: Path
) -> None:
    short = replace(RECIPE, epochs=2)
    losses = []
    for n, seed in enumerate((1, 1, 2)):
        told: list[Progress] = []
        (tmp_path / str(n)).mkdir()
        trained(data, tmp_path / str(n), replace(short, seed=seed), told)
        losses.append([p.loss for p in told])
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_a_line_must_have_a_name_that_repos_can_have(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'\.\./b'"):
        run(data, SOURCE, RECIPE, line="../b", config="c", out=tmp_path, runs=tmp_path)


def test_options_that_the_network_does_not_have_are_refused(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="resolution"):
        trained(data, tmp_path, replace(RECIPE, options={"resolution": 3}))


def test_what_is_no_image_is_not_flipped(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Only images"):
        trained(data, tmp_path, replace(RECIPE, flip=True))


def test_a_dataset_of_another_input_is_refused(data: Dataset, tmp_path: Path) -> None:
    other = msgspec.structs.replace(data.index, labels=("Fast", "Slow", "Dropout"))
    with pytest.raises(ConfigError, match="of the pipeline's input, waveform"):
        trained(replace(data, index=other), tmp_path)


def test_a_dataset_without_validation_images_is_refused(tmp_path: Path) -> None:
    alone = made(tmp_path / "data", 2)  # One patient: one split.
    with pytest.raises(ConfigError, match="train and validation"):
        trained(alone, tmp_path)
