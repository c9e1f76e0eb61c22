"""Training from a dataset's commit to a committed release, on an input that is no image."""

from __future__ import annotations

import io
import json
import warnings
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from chexnet.data.checkout import Dataset
from chexnet.errors import ConfigError
from chexnet.inputs.base import load
from chexnet.models import base
from chexnet.models import card as cards
from chexnet.models.card import Card
from chexnet.training import checkpoint
from chexnet.training.progress import Progress
from chexnet.training.recipe import Adam, Precision, Recipe
from chexnet.training.run import run
from tests import datasets
from tests.unit.data.test_dataset import folder_of
from tests.unit.training.recipes import WAVES

SOURCE = load("waveform")


def trained(
    data: Dataset,
    folder: Path,
    recipe: Recipe = WAVES,
    progress: list[Progress] | None = None,
    line: str = "a",
) -> Card:
    """Train into folder/out, with the curves in folder/runs."""
    (folder / "out").mkdir(exist_ok=True)
    card = run(
        data,
        SOURCE,
        recipe,
        line=line,
        config="waves",
        out=folder / "out",
        runs=folder / "runs",
        checkpoints=folder / "checkpoints",
        report=[].append if progress is None else progress.append,
    )
    assert card is not None
    return card


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
    assert folder.name.startswith("waves-")
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    tags = set(events.Tags()["tensors"])
    labels = card.labels
    assert tags == {
        "loss/step",
        "loss/train",
        "loss/validation",
        "learning_rate",
        "auroc/mean",
        "speed/images_per_second",
        "kept/auroc_validation",
        "kept/auroc_test",
        "kept/loss_validation",
        "roc",
        "card",
        *(f"auroc/{label}" for label in labels),
        *(f"precision_recall/{label}/pr_curves" for label in labels),
        *(f"scores/{label} {side}" for label in labels for side in ("present", "absent")),
        *(f"examples/{label}" for label in labels),
        "_hparams_/experiment",
        "_hparams_/session_start_info",
        "_hparams_/session_end_info",
    }
    epochs = [1, 2, 3, 4, 5, 6]
    for tag in ("auroc/mean", "precision_recall/Fast/pr_curves", "scores/Fast present"):
        assert [event.step for event in events.Tensors(tag)] == epochs
    rates = [tf.make_ndarray(event.tensor_proto) for event in events.Tensors("learning_rate")]
    assert max(rates) > 10 * rates[-1] > 0  # A cosine.


def test_its_examples_have_the_finding_of_their_name_and_no_map_where_there_is_none(
    data: Dataset, state: Path, card: Card
) -> None:
    (folder,) = (state / "runs" / "a").iterdir()
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    for number, label in enumerate(card.labels):
        width, height, png = tf.make_ndarray(events.Tensors(f"examples/{label}")[0].tensor_proto)
        validation = data.rows("validation")
        row = validation[data.y[validation, number] == 1][0]
        drawn = Image.open(io.BytesIO(SOURCE.render(data.x[row]))).convert("RGB")
        assert (int(width), int(height)) == drawn.size
        assert Image.open(io.BytesIO(png)).convert("RGB").tobytes() == drawn.tobytes()


def test_a_training_that_diverges_ends_as_others_do(data: Dataset, tmp_path: Path) -> None:
    wild = replace(WAVES, optimizer=Adam(learning_rate=1e30), schedule=None, epochs=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # Of arithmetic with what is no number.
        card = trained(data, tmp_path, wild)
    assert not np.isfinite(card.metrics["validation"]["loss"])


def test_the_same_seed_gives_the_same_losses_and_another_one_others(
    data: Dataset, tmp_path: Path
) -> None:
    short = replace(WAVES, epochs=5)
    losses = []
    for n, seed in enumerate((1, 1, 2)):
        told: list[Progress] = []
        (tmp_path / str(n)).mkdir()
        trained(data, tmp_path / str(n), replace(short, seed=seed), told)
        losses.append([p.loss for p in told])
    assert len(losses[0]) >= 50
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_a_run_leaves_no_checkpoint_and_goes_on_with_that_of_a_killed_one(
    data: Dataset, tmp_path: Path
) -> None:
    recipe, told = replace(WAVES, epochs=2), []

    def die(now: Progress) -> None:
        told.append(now)
        if (now.epoch, now.step) == (2, 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(
            data,
            SOURCE,
            recipe,
            line="a",
            config="waves",
            out=tmp_path / "out",
            runs=tmp_path / "runs",
            checkpoints=tmp_path / "checkpoints",
            report=die,
        )
    (kept,) = (tmp_path / "checkpoints").iterdir()
    assert kept.name.startswith("a-")
    later: list[Progress] = []
    trained(data, tmp_path, recipe, later)
    assert (later[0].epoch, later[0].step) == (2, 1)  # The first epoch is not done again.
    assert list((tmp_path / "checkpoints").iterdir()) == []
    (page,) = (tmp_path / "runs" / "a").iterdir()  # One run, one page, and each point once.
    events = EventAccumulator(str(page), size_guidance={"tensors": 0}).Reload()
    steps = later[-1].epoch * later[-1].steps
    assert [e.step for e in events.Tensors("loss/step")] == list(range(1, steps, 10))
    for tag in ("auroc/mean", "scores/Fast present", "precision_recall/Fast/pr_curves"):
        assert [e.step for e in events.Tensors(tag)] == [1, 2]


def test_another_recipe_does_not_go_on_with_a_checkpoint(data: Dataset, tmp_path: Path) -> None:
    of = [checkpoint.of_run(tmp_path, "a", replace(WAVES, seed=seed), data) for seed in (0, 0, 1)]
    assert of[0].path == of[1].path != of[2].path
    of[0].path.write_bytes(b"")
    other_line = checkpoint.of_run(tmp_path, "ab", WAVES, data)
    other_line.path.write_bytes(b"")
    checkpoint.of_run(tmp_path, "a", replace(WAVES, seed=1), data)
    assert list(tmp_path.iterdir()) == [other_line.path]


def test_patience_ends_a_training_that_does_not_get_better(data: Dataset, tmp_path: Path) -> None:
    still = replace(
        WAVES, optimizer=Adam(learning_rate=0.0), schedule=None, patience=2, keep_best="val_loss"
    )
    told: list[Progress] = []
    trained(data, tmp_path, replace(still, options={"width": 4}), told)
    assert told[-1].epoch < 6


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_what_learnt_in_16_bits_is_judged_and_exported_in_32(
    data: Dataset, tmp_path: Path, precision: Precision
) -> None:
    card = trained(data, tmp_path, replace(WAVES, precision=precision, epochs=4))
    assert card.params["precision"] == precision
    assert card.metrics["test"]["macro_auroc"]["value"] > 0.6
    graph = (tmp_path / "out/release/saved_model.pb").read_bytes()
    assert b"_half" not in graph
    with np.load(tmp_path / "out/release" / cards.GOLDEN) as golden:
        assert golden["probabilities"].dtype == np.float32


def test_weights_that_cannot_be_had_are_random_ones_and_the_card_says_so(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = type(base.load("waveform_cnn"))
    build = network.build

    def offline(self: object, *args: object, weights: str | None, **options: int) -> object:
        if weights == "imagenet":
            raise base.WeightsMissing("They are not here.")
        return build(self, *args, weights=weights, **options)

    monkeypatch.setattr(network, "build", offline)
    with pytest.warns(UserWarning, match="random weights. They are not here"):
        card = trained(data, tmp_path, replace(WAVES, weights="imagenet", epochs=1))
    assert card.params["weights"] is None


def test_published_weights_are_asked_for_once(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, asked = type(base.load("waveform_cnn")), []
    build = network.build

    def online(self: object, *args: object, weights: str | None, **options: int) -> object:
        asked.append(weights)
        return build(self, *args, weights=None, **options)

    monkeypatch.setattr(network, "build", online)
    card = trained(data, tmp_path, replace(WAVES, weights="imagenet", epochs=1))
    assert asked == ["imagenet", None]  # What was learnt is put into a network without any.
    assert card.params["weights"] == "imagenet"


def test_a_line_must_have_a_name_that_repos_can_have(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'\.\./b'"):
        trained(data, tmp_path, line="../b")


def test_options_that_the_network_does_not_have_are_refused(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="resolution"):
        trained(data, tmp_path, replace(WAVES, options={"resolution": 3}))


def test_what_is_no_image_is_not_flipped(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Only images"):
        trained(data, tmp_path, replace(WAVES, flip=True))


def test_a_dataset_of_another_input_is_refused(data: Dataset, tmp_path: Path) -> None:
    other = msgspec.structs.replace(data.index, labels=("Fast", "Slow", "Dropout"))
    with pytest.raises(ConfigError, match="of the pipeline's input, waveform"):
        trained(replace(data, index=other), tmp_path)


def test_a_dataset_without_validation_images_is_refused(tmp_path: Path) -> None:
    alone = made(tmp_path / "data", 2)  # One patient: one split.
    with pytest.raises(ConfigError, match="train and validation"):
        trained(alone, tmp_path)
