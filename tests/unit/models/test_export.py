"""A release holds what the contract of DESIGN §4 names, and other engines read it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import keras
import numpy as np
import openvino
import pytest
import tensorflow as tf
from google.protobuf.message import Message
from msgspec import structs
from tensorflow_serving.apis import prediction_log_pb2

from chexnet.errors import BadInput, NotFound
from chexnet.models import card as cards
from chexnet.models.densenet121 import DenseNet121
from chexnet.models.export import export
from chexnet.models.small_cnn import SmallCNN

LABELS = ("Effusion", "Mass", "Nodule")
SHAPE = (64, 64, 1)
CARD = cards.Card(
    line="a",
    network="small_cnn",
    input="test",
    labels=LABELS,
    shape=SHAPE,
    thresholds={"Effusion": 0.4},
    feature_mean=(0.0,),
    feature_std=(1.0,),
    metrics={},
    dataset="dataset@1",
    training_units=("u1",),
    training_digest=cards.digest(["u1"]),
    code="0",
    seed=0,
    params={"epochs": 1},
    created_at=datetime(2026, 1, 2, tzinfo=UTC),
)


def images(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, *SHAPE), dtype=np.uint8)


def small() -> keras.Model:
    keras.utils.set_random_seed(0)
    return SmallCNN().build(SHAPE, LABELS, resolution=32, width=4, blocks=2)


def dense() -> keras.Model:
    keras.utils.set_random_seed(0)
    return DenseNet121().build(SHAPE, LABELS, resolution=32)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "1"
    export(small(), folder, CARD, images(3))
    return folder


@pytest.mark.parametrize("build", [small, pytest.param(dense, marks=pytest.mark.slow)])
def test_openvino_and_tensorflow_give_the_probabilities_of_the_trained_model(
    build: Callable[[], keras.Model], tmp_path: Path
) -> None:
    model, x = build(), images(3)
    expected = model.predict(x, verbose=0)
    export(model, tmp_path / "1", CARD, x)
    core = openvino.Core()
    engine = core.compile_model(
        core.read_model(tmp_path / "1"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    answers = engine({"x": x})
    served = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"](x=x)
    for outputs in ({k.get_any_name(): v for k, v in answers.items()}, served):
        assert set(outputs) == {"probabilities", "features", "cam"}
        probabilities = 1 / (1 + np.exp(-expected["logits"]))
        np.testing.assert_allclose(outputs["probabilities"], probabilities, atol=1e-5)
        np.testing.assert_allclose(outputs["features"], expected["features"], atol=1e-4)
        np.testing.assert_allclose(outputs["cam"], expected["cam"], atol=1e-4)


def test_the_signature_has_the_names_and_types_of_the_contract(release: Path) -> None:
    signature = tf.saved_model.load(str(release)).signatures["serving_default"]
    _, inputs = signature.structured_input_signature
    assert (inputs["x"].dtype, inputs["x"].shape.as_list()) == (tf.uint8, [None, *SHAPE])
    assert {k: (v.dtype, v.shape.rank) for k, v in signature.structured_outputs.items()} == {
        "probabilities": (tf.float32, 2),
        "features": (tf.float32, 2),
        "cam": (tf.float32, 4),
    }


def test_the_maps_average_to_the_logits_without_their_bias() -> None:
    model, x = small(), images(2)
    model.get_layer("head").bias.assign([1.0, 2.0, 3.0])
    outputs = model.predict(x, verbose=0)
    averaged = outputs["cam"].mean(axis=(2, 3)) + np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(averaged, outputs["logits"], atol=1e-5)


def test_the_golden_file_holds_the_inputs_and_one_array_for_each_output(release: Path) -> None:
    golden = np.load(release / "assets.extra" / "golden.npz")
    assert {k: golden[k].shape for k in golden.files} == {
        "x": (3, 64, 64, 1),
        "probabilities": (3, 3),
        "features": (3, 8),
        "cam": (3, 3, 8, 8),
    }


def test_the_warm_up_file_is_a_tfrecord_of_requests_to_the_signature(release: Path) -> None:
    path = release / "assets.extra" / "tf_serving_warmup_requests"
    logs: list[Message] = [
        prediction_log_pb2.PredictionLog.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(path))
    ]
    asked = [log.predict_log.request for log in logs]
    assert [r.model_spec.signature_name for r in asked] == ["serving_default"] * 2
    assert [tf.make_ndarray(r.inputs["x"]).shape[0] for r in asked] == [1, 3]


def test_a_card_is_read_back_as_it_was_written(release: Path) -> None:
    assert cards.read(release) == CARD


def test_a_folder_without_a_card_is_not_a_release(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"card at assets\.extra/card\.json"):
        cards.read(tmp_path)


def test_a_card_of_a_newer_schema_is_refused() -> None:
    newer = structs.replace(CARD, schema="card/2").encode()
    with pytest.raises(BadInput, match="Received: 'card/2'"):
        cards.parse(newer)


def test_a_model_with_other_labels_than_the_card_is_not_exported(tmp_path: Path) -> None:
    four = structs.replace(CARD, labels=(*LABELS, "Hernia"))
    with pytest.raises(ValueError, match="one logit for each of the 4 labels"):
        export(small(), tmp_path / "1", four, images(1))


def test_a_resolution_must_divide_the_image() -> None:
    with pytest.raises(ValueError, match="Received: 30"):
        SmallCNN().build(SHAPE, LABELS, resolution=30)
