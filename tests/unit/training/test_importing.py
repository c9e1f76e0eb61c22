"""An imported checkpoint answers as it did where it was made, and can be released and trained."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

from chexnet import release as releases
from chexnet.adapters.memory import MemoryStore
from chexnet.cli.main import app
from chexnet.data.checkout import unpack
from chexnet.data.dataset import Example, write
from chexnet.errors import BadInput, ConfigError, Refused
from chexnet.inputs.base import load
from chexnet.messages import now
from chexnet.models import card as cards
from chexnet.models.card import Card
from chexnet.models.checkpoints import densenet, weights
from chexnet.models.checkpoints.files import opened
from chexnet.models.densenet121 import MEAN, STD, DenseNet121
from chexnet.models.released import Released
from chexnet.pipelines import lines
from chexnet.training import checkpoint, initial
from chexnet.training.board import Board
from chexnet.training.importing import import_weights
from chexnet.training.loop import Training
from chexnet.training.recipe import Recipe
from tests.unit.models.checkpoints import numpy_densenet, writer

SCRIPT = Path(numpy_densenet.__file__).with_name("torch_densenet.py")
# The checkpoint's outputs: in another order than the input's, one too many, and one untrained.
OUTPUTS = ("Mass", "Fracture", "", "Effusion")


class Films:
    """An input of two findings, small enough for tests."""

    name = "films"
    labels = ("Effusion", "Mass")
    shape: tuple[int, ...] = (64, 64, 1)


IMAGES = np.random.default_rng(3).integers(0, 256, (2, *Films.shape), dtype=np.uint8)


def imagenet(image: np.ndarray) -> np.ndarray:
    grey = image[..., 0] / 255
    return np.stack([(grey - mean) / std for mean, std in zip(MEAN, STD, strict=True)])


def xrv(image: np.ndarray) -> np.ndarray:
    """As torchxrayvision.datasets.normalize: -1024 to 1024, one channel."""
    return ((2 * (image[..., 0] / 255) - 1) * 1024)[None]


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


def made_in(
    folder: Path, state: Mapping[str, Any], labels: Sequence[str] = OUTPUTS, **more: Any
) -> Card:
    source: Any = Films()
    checkpoint = writer.in_a_row(folder / "model.pth.tar", {"state_dict": dict(state)})
    options = {"normalisation": "imagenet", "line": "x", "out": folder / "out", **more}
    return import_weights(checkpoint, source, labels=labels, **options)


@pytest.fixture(scope="module")
def state() -> dict[str, np.ndarray]:
    return numpy_densenet.random_weights(3, len(OUTPUTS))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, state: dict[str, np.ndarray]) -> Path:
    folder = tmp_path_factory.mktemp("import")
    made_in(folder, {f"module.{name}": array for name, array in state.items()})
    return folder / "out"


@pytest.mark.slow
def test_the_release_answers_as_the_checkpoint_would_by_label(
    folder: Path, state: dict[str, np.ndarray]
) -> None:
    served = Released(folder / "release")
    expected = np.array([numpy_densenet.logits(state, imagenet(image)) for image in IMAGES])
    by_name = dict(zip(OUTPUTS, sigmoid(expected).T, strict=True))
    answers = served(IMAGES)["probabilities"]
    assert served.card.labels == ("Effusion", "Mass")
    np.testing.assert_allclose(answers[:, 0], by_name["Effusion"], atol=1e-5)
    np.testing.assert_allclose(answers[:, 1], by_name["Mass"], atol=1e-5)


@pytest.mark.slow
def test_torchxrayvisions_range_and_single_channel_are_kept(tmp_path: Path) -> None:
    state = numpy_densenet.random_weights(1, 4)
    state["features.conv0.weight"] /= 1024  # So that pixels of that size don't saturate.
    operating = np.array([0.1, 0.2, np.nan, np.nan], np.float32)
    card = made_in(tmp_path, {**state, "op_threshs": operating}, normalisation="torchxrayvision")
    assert card.thresholds == {"Effusion": 0.5, "Mass": pytest.approx(0.1)}
    answers = Released(tmp_path / "out/release")(IMAGES)["probabilities"]
    expected = [numpy_densenet.logits(state, xrv(image))[[3, 0]] for image in IMAGES]
    np.testing.assert_allclose(answers, sigmoid(np.array(expected)), atol=1e-5)


@pytest.mark.slow
def test_the_card_says_where_it_comes_from_and_what_is_not_known(folder: Path) -> None:
    card = cards.read(folder / "release")
    assert card.params["weights"] == "model.pth.tar"
    assert card.params["outputs"] == ["Mass", "Fracture", "Effusion"]
    assert card.dataset == f"weights@{card.params['sha256']}"
    assert card.metrics == {}
    assert "what it learnt from is not known" in card.limits


@pytest.mark.slow
def test_a_line_of_its_own_takes_it_and_release_numbers_it(folder: Path, tmp_path: Path) -> None:
    store = MemoryStore()
    commit = lines.bring(store, "nih", folder)
    released = releases.publish(
        store, tmp_path, model="xray", line="nih", commit=None, who="me", at=now()
    )
    assert (released.version, released.commit) == (1, commit)
    assert Released(tmp_path / "1").card.network == "densenet121"
    assert store.read("models-nih", "/weights.safetensors") == (folder / initial.FILE).read_bytes()


def test_a_pipelines_line_is_not_written_by_hand(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"models-a, models-b.*Received: 'b'"):
        lines.bring(MemoryStore(), "b", tmp_path)


@pytest.mark.slow
def test_a_training_begins_where_the_checkpoint_ended(
    folder: Path, tmp_path: Path, state: dict[str, np.ndarray]
) -> None:
    recipe = Recipe(model="densenet121", weights=None)
    source: Any = Films()
    initial.check(folder / initial.FILE, recipe, source)
    begun = initial.beginning_with(recipe, folder / initial.FILE, tmp_path, "b")
    again = initial.beginning_with(recipe, folder / initial.FILE, tmp_path, "b")
    assert begun == again  # A killed job finds its checkpoint by it.
    model = DenseNet121().build(Films.shape, Films.labels, weights=begun.weights)
    logits = model.predict(IMAGES[:1], verbose=0)["logits"][0]
    expected = numpy_densenet.logits(state, imagenet(IMAGES[0]))[[3, 0]]
    np.testing.assert_allclose(logits, expected, atol=1e-4)


@pytest.mark.slow
def test_the_best_epochs_model_sees_pixels_as_the_imported_weights_did(tmp_path: Path) -> None:
    source: Any = Films()
    rng = np.random.default_rng(0)
    examples = (
        Example(rng.integers(0, 256, Films.shape, dtype=np.uint8), (n % 2, 1), f"u{n}", f"i{n}", s)
        for n, s in enumerate(("train", "train", "validation", "validation"))
    )
    write(tmp_path / "files", source, examples)
    (tmp_path / "arrays").mkdir()
    data = unpack(tmp_path / "files", "dataset@0", tmp_path / "arrays")
    file = tmp_path / "a.safetensors"
    said = header(labels=OUTPUTS, normalisation="torchxrayvision")
    weights.write(file, said, numpy_densenet.random_weights(1, len(OUTPUTS)))
    recipe = Recipe(model="densenet121", weights=str(file), batch_size=2, epochs=1)
    kept = checkpoint.of_run(tmp_path / "checkpoints", "b", recipe, data)
    model = Training(recipe, data, kept, report=lambda _: None).run(Board(None)).model
    seen = keras.Model(model.input, model.get_layer("normalise").output)
    pixels = seen.predict(IMAGES, verbose=0)
    np.testing.assert_allclose(pixels, np.moveaxis(list(map(xrv, IMAGES)), 1, -1), atol=1e-3)
    assert model.get_layer("body").get_layer("bn").epsilon == 1e-5


def header(**changes: Any) -> weights.Header:
    said = {"labels": OUTPUTS[:2], "normalisation": "imagenet", "sha256": "0"}
    return weights.Header(**{**said, **changes})


def test_weights_of_another_network_or_without_a_label_do_not_begin_a_training(
    tmp_path: Path, state: dict[str, np.ndarray]
) -> None:
    file, source = tmp_path / "a.safetensors", load("chest_xray")
    weights.write(file, header(labels=source.labels), state)
    with pytest.raises(ConfigError, match=r"are of densenet121.*Received: small_cnn"):
        initial.check(file, Recipe(model="small_cnn"), source)
    weights.write(file, header(labels=("Mass", "Hernia")), state)
    with pytest.raises(ConfigError, match="none for Atelectasis, Cardiomegaly"):
        initial.check(file, Recipe(model="densenet121"), source)


def test_safetensors_that_nobody_imported_are_not_taken_for_weights(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(2)}, tmp_path / "a.safetensors")
    with pytest.raises(BadInput, match="chexnet import-weights"):
        weights.read(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("labels", "channels", "more", "told"),
    [
        (("Mass", "Hernia", "", ""), 3, {}, "Received: none for Effusion, of Mass, Hernia"),
        (("Mass", "Effusion"), 3, {}, "each of the checkpoint's 4 outputs once.*Received: 2"),
        (("Mass", "Effusion", "Mass", ""), 3, {}, "Received: 4, Mass twice"),
        (OUTPUTS, 1, {}, "of 3 channels.*Received: a checkpoint of 1"),
        (OUTPUTS, 3, {"line": "X-1"}, "Received: 'X-1'"),
    ],
)
def test_what_does_not_fit_together_is_refused_before_anything_is_written(
    labels: Sequence[str], channels: int, more: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=told):
        made_in(tmp_path, numpy_densenet.random_weights(channels, 4), labels, **more)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_left_alone(
    tmp_path: Path, state: dict[str, np.ndarray]
) -> None:
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(ConfigError, match="new or empty"):
        made_in(tmp_path, state, out=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--labels", "nowhere.txt", "--normalisation", "imagenet"], "which is no file"),
        (["--labels", "Mass,Edema", "--normalisation", "none"], "Received: 'none'"),
        (["--labels", "Mass,Edema", "--normalisation", "imagenet"], "none for Atelectasis"),
    ],
)
def test_the_command_says_what_is_wrong_with_its_options(
    arguments: list[str], told: str, tmp_path: Path
) -> None:
    file = writer.zipped(tmp_path / "a.pth", {})
    out = CliRunner().invoke(app, ["import-weights", str(file), *arguments])
    assert isinstance(out.exception, ConfigError)
    assert told in str(out.exception)


def python_with_torch() -> str | None:
    """Return a Python that has torch; the system's may, from Debian's python3-torch."""
    named = os.environ.get("CHEXNET_TEST_TORCH")
    for python in [named] if named else [sys.executable, "/usr/bin/python3", "python3"]:
        found = shutil.which(python)
        asked = [found or "", "-c", "import torch"]
        if found and not subprocess.run(asked, capture_output=True, check=False).returncode:
            return found
    return None


@pytest.fixture(scope="module")
def torch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    python = python_with_torch()
    if python is None:
        pytest.skip("no torch: install python3-torch, or name a Python in CHEXNET_TEST_TORCH")
    folder = tmp_path_factory.mktemp("torch")
    np.save(folder / "x.npy", np.array([imagenet(i) for i in IMAGES], dtype=np.float32))
    subprocess.run([python, SCRIPT, folder], check=True, timeout=300)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["state", "legacy", "whole", "whole-legacy"])
def test_every_file_of_torchs_gives_the_same_weights(torch: Path, kind: str) -> None:
    with opened(torch / f"{kind}.pth") as tree:
        found = densenet.arrays(tree)
    with opened(torch / "state.pth") as tree:
        for name, array in densenet.arrays(tree).items():
            np.testing.assert_array_equal(found[name], array, err_msg=name)


@pytest.mark.slow
def test_the_release_answers_as_torch_does(torch: Path, tmp_path: Path) -> None:
    source: Any = Films()
    import_weights(
        torch / "legacy.pth",
        source,
        labels=OUTPUTS,
        normalisation="imagenet",
        line="x",
        out=tmp_path / "out",
    )
    expected = sigmoid(np.load(torch / "logits.npy"))[:, [3, 0]]
    answers = Released(tmp_path / "out/release")(IMAGES)["probabilities"]
    np.testing.assert_allclose(answers, expected, atol=1e-4)
