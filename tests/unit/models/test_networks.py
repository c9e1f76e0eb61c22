"""The networks: what they are made of, and that what they need is asked for in a sentence."""

from __future__ import annotations

from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from chexnet.errors import ConfigError
from chexnet.models import base
from chexnet.models.densenet121 import DenseNet121
from chexnet.models.head import CamHead
from chexnet.models.resolution import downsize

LABELS = tuple(f"finding{i}" for i in range(14))


def test_densenet121_has_the_published_size() -> None:
    model = DenseNet121().build((224, 224, 1), LABELS)
    # Huang et al., table 1: 7,978,856 parameters, of which 1024 x 1000 + 1000 are the classifier;
    # 83,648 more are batch statistics, which keras counts too. Here: 14 labels in its place.
    body = 7_978_856 - 1_025_000 + 83_648
    head = 1024 * 14 + 14
    assert sum(int(np.prod(w.shape)) for w in model.weights if "normalise" not in w.path) == (
        body + head
    )
    assert model.output["cam"].shape == (None, 14, 7, 7)
    assert model.output["features"].shape == (None, 1024)


def test_densenet121_sees_imagenets_grey_as_zero() -> None:
    model = DenseNet121().build((32, 32, 3), LABELS)
    mean = np.round(np.array([0.485, 0.456, 0.406]) * 255).astype(np.uint8)
    layer = keras.Model(model.input, model.get_layer("normalise").output)
    seen = layer.predict(np.broadcast_to(mean, (1, 32, 32, 3)), verbose=0)
    np.testing.assert_allclose(seen, 0, atol=0.01)  # A level is 1/255/0.22 = 0.018.


def test_weights_that_cannot_be_had_are_asked_for_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unreachable(**_: object) -> None:
        raise Exception("URL fetch failure on https://example.org: None")  # noqa: TRY002

    monkeypatch.setattr(keras.applications, "DenseNet121", unreachable)
    with pytest.raises(ConfigError, match="ImageNet weights must be in keras' cache"):
        DenseNet121().build((224, 224, 1), LABELS, weights="imagenet")


def test_weights_of_the_body_alone_are_taken_as_keras_publishes_them(tmp_path: Path) -> None:
    body = keras.applications.DenseNet121(include_top=False, weights=None, input_shape=(32, 32, 3))
    file = tmp_path / "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5"  # keras' own name.
    with h5py.File(file, "w") as opened:
        legacy_h5_format.save_weights_to_hdf5_group(opened, body)
    model = DenseNet121().build((32, 32, 1), LABELS, weights=str(file))
    for own, given in zip(model.get_layer("body").weights, body.weights, strict=True):
        np.testing.assert_array_equal(own, given)


def test_weights_of_another_network_are_refused_by_their_name(tmp_path: Path) -> None:
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    other.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(ConfigError, match=r"of this network or its body.*other\.weights\.h5"):
        DenseNet121().build((32, 32, 1), LABELS, weights=str(tmp_path / "other.weights.h5"))
    with pytest.raises(ConfigError, match=r"that can be read.*none\.h5"):
        DenseNet121().build((32, 32, 1), LABELS, weights=str(tmp_path / "none.h5"))


@pytest.mark.parametrize("name", ["densenet121", "small_cnn"])
def test_networks_are_found_by_name(name: str) -> None:
    assert base.load(name).name == name


def test_an_unknown_network_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"densenet121, small_cnn.*Received: 'resnet'"):
        base.load("resnet")


def test_downsizing_averages_whole_blocks() -> None:
    image = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    seen = np.asarray(downsize(keras.ops.convert_to_tensor(image), (4, 4, 1), 2))
    # Blocks of 0 1 4 5, 2 3 6 7, 8 9 12 13 and 10 11 14 15.
    assert seen[0, :, :, 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]


def test_the_heads_map_is_the_weighted_sum_of_its_features() -> None:
    head = CamHead(2)
    maps = np.random.default_rng(0).normal(size=(1, 3, 4, 5)).astype(np.float32)
    outputs = head(maps)
    kernel = np.asarray(head.kernel)
    expected = np.einsum("nhwk,kl->nlhw", maps, kernel)
    np.testing.assert_allclose(outputs["cam"], expected, atol=1e-5)
    np.testing.assert_allclose(outputs["logits"], expected.mean(axis=(2, 3)), atol=1e-5)
