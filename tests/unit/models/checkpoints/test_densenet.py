"""A DenseNet-121 is found under the names that PyTorch's projects give it, or what is wrong is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pytest

from chexnet.errors import BadInput
from chexnet.models.checkpoints import densenet
from chexnet.models.checkpoints.pickled import Layer
from chexnet.models.checkpoints.tensors import Tensor
from tests.unit.models.checkpoints import numpy_densenet

WEIGHTS = numpy_densenet.random_weights(3, 14)


def tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    kinds = {"float32": "F32", "int64": "I64"}
    return {n: Tensor(kinds[a.dtype.name], a.shape, a.tobytes) for n, a in arrays.items()}


STATE = tensors(WEIGHTS)


def prefixed(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


def of_old(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """As arnoweng/CheXNet's model.pth.tar: torchvision 0.2's names and a Sequential classifier."""
    parted = {re.sub(r"\.(norm|conv)([12])\.", r".\1.\2.", n): t for n, t in state.items()}
    named = {n.replace("classifier.", "classifier.0."): t for n, t in parted.items()}
    return prefixed(named, "module.densenet121.")


def layers(state: Mapping[str, Tensor]) -> Layer:
    """The model itself, saved as a whole."""
    top = Layer("torchxrayvision.models.DenseNet", {"_modules": {}, "training": False})
    for name, tensor in state.items():
        *path, last = name.split(".")
        at = top
        for part in path:
            inner = at.state.setdefault("_modules", {})
            at = inner.setdefault(part, Layer("torch.nn.modules.conv.Conv2d"))
        kind = "_buffers" if last.startswith("running") else "_parameters"
        at.state.setdefault(kind, {"bias": None})[last] = tensor
    return top


COUNTER = tensors({"features.norm0.num_batches_tracked": np.array(7)})


@pytest.mark.parametrize(
    "tree",
    [
        STATE,
        STATE | COUNTER,
        prefixed(STATE, "module."),
        {"state_dict": of_old(STATE), "epoch": 3, "optimizer": {"state": {0: {}}}},
        {"model": layers(STATE), "args": {}},
        layers(STATE),
    ],
    ids=["state", "counted", "parallel", "of old", "model and more", "whole model"],
)
def test_it_is_found_by_its_names(tree: Any) -> None:
    found = densenet.arrays(tree)
    assert found.keys() == WEIGHTS.keys()
    for name, array in WEIGHTS.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_every_weight_has_its_place_in_keras() -> None:
    body = keras.applications.DenseNet121(include_top=False, weights=None, input_shape=(32, 32, 3))
    places = {(layer.name, v.name): v.shape for layer in body.layers for v in layer.weights}
    expected = densenet.shapes(3, 14)
    named = {densenet.keras_name(name): name for name in expected if name.startswith("features.")}
    assert named.keys() == places.keys()
    for place, name in named.items():
        assert sorted(expected[name]) == sorted(places[place]), name


def changed(**changes: np.ndarray | None) -> dict[str, Tensor]:
    made = dict(STATE)
    for name, array in changes.items():
        if array is None:
            del made[name]
        else:
            made |= tensors({name: array})
    return made


FIRST, LAST = "features.norm0.bias", "features.norm5.running_var"


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        (changed(**{FIRST: None, LAST: None}), f"missing: {FIRST}, {LAST}"),
        (changed(**{"fc.weight": np.zeros(1, "f4")}), r"unexpected: fc\.weight"),
        (changed(**{FIRST: np.zeros(3, "f4")}), rf"{FIRST} F32 \[3\] for \[64\]"),
        (changed(**{FIRST: np.zeros(64, "i8")}), rf"{FIRST} I64 \[64\] for \[64\]"),
        (changed(**{FIRST: np.full(64, np.nan, "f4")}), f"others in {FIRST}"),
        (changed(**{"classifier.weight": None}), r"must have classifier\.weight"),
        (changed(**{"classifier.3.weight": np.zeros(1, "f4")}), r"second one, classifier\.3\.weig"),
        (STATE | prefixed(STATE, "ema."), "one DenseNet. Received: , ema"),
        ({"state_dict": STATE, "ema": STATE}, "Received: 2, in ema, state_dict"),
        ({"optimizer": {}, "epoch": 1}, "Received: none, in epoch, optimizer"),
        ([1, 2], "Received: none"),
        (tensors({"layer1.0.conv1.weight": np.zeros(1, "f4")}), r"in layer1\.0\.conv1\.weight"),
        (tensors({densenet.FIRST_KERNEL: np.zeros((), "f4")}), r"must have classifier\.weight"),
        (changed(**{"classifier.weight": np.zeros((), "f4")}), r"classifier\.weight F32 \[\] for"),
    ],
)
def test_what_is_wrong_is_named(tree: Any, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        densenet.arrays(tree)


def test_a_model_whose_layers_go_in_circles_ends() -> None:
    loop = Layer("torch.nn.Sequential")
    loop.state["_modules"] = {"a": loop, "b": loop}
    with pytest.raises(BadInput, match="may have 5,000 layers"):
        densenet.arrays(loop)
