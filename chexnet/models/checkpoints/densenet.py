"""DenseNet-121 as PyTorch's checkpoints name it, and as keras' application does.

Names: torchvision/models/densenet.py, which torchxrayvision and reproductions of CheXNet copy; its
first versions had norm.1 for norm1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chexnet.errors import BadInput
from chexnet.models.checkpoints.pickled import Layer
from chexnet.models.checkpoints.tensors import FLOATS, Tensor

BLOCKS = (6, 12, 24, 16)  # Huang et al., table 1: layers of each block.
GROWTH, FIRST, BOTTLENECK = 32, 64, 128
EPSILON = 1e-5  # Of PyTorch's batch normalisation; keras' DenseNet has 1.001e-5.
FIRST_KERNEL = "features.conv0.weight"
KERNEL, BIAS = "classifier.weight", "classifier.bias"
OPERATING = "op_threshs"  # torchxrayvision's: the probability from which each finding is present.
LAYERS = 5000  # Of a model that was saved as a whole, at most; it has 430.

Arrays = dict[str, NDArray[np.float32]]

_OLD = re.compile(r"\.(norm|conv)\.([12])\.")
_CLASSIFIER = re.compile(r"classifier\.\d+\.(weight|bias)")
_BATCH_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def arrays(tree: Any) -> Arrays:
    """Return the weights of a checkpoint under torchvision's names, checked.

    Args:
        tree: as `files.opened` yields it: the state_dict, or what holds it, or the model itself.

    Returns:
        The names that `shapes` has, and `op_threshs` [L] where it is there.

    Raises:
        BadInput: there is not one DenseNet-121 with one linear classifier in it, or a tensor is of
            another shape or type, or not finite. The message names each key.
    """
    state = _canonical(_only_state(tree))
    for name in (FIRST_KERNEL, KERNEL):
        if name not in state:
            rule = f"A DenseNet-121 must have {name}."
            raise BadInput("checkpoint", f"{rule} Received: {', '.join(sorted(state))}.")
    outputs = (*state[KERNEL].shape, 0)[0]
    expected = shapes(1 if state[FIRST_KERNEL].shape[1:2] == (1,) else 3, outputs)
    if OPERATING in state:
        expected[OPERATING] = (outputs,)
    _check(state, expected)
    found = {name: state[name].array() for name in expected}
    wrong = [n for n, a in found.items() if n != OPERATING and not np.isfinite(a).all()]
    if wrong:
        rule = "Weights must be finite numbers."
        todo = "Take an earlier checkpoint: that training has diverged."
        raise BadInput("checkpoint", f"{rule} Received: others in {', '.join(wrong)}. {todo}")
    return found


def shapes(channels: int, outputs: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight by torchvision's name.

    Args:
        channels: of the image.
        outputs: of the classifier.
    """
    made: dict[str, tuple[int, ...]] = {FIRST_KERNEL: (FIRST, channels, 7, 7)}

    def norm(name: str, width: int) -> None:
        made.update({f"{name}.{part}": (width,) for part in _BATCH_NORM})

    norm("features.norm0", FIRST)
    width = FIRST
    for block, layers in enumerate(BLOCKS, 1):
        for layer in range(1, layers + 1):
            at = f"features.denseblock{block}.denselayer{layer}"
            norm(f"{at}.norm1", width)
            made[f"{at}.conv1.weight"] = (BOTTLENECK, width, 1, 1)
            norm(f"{at}.norm2", BOTTLENECK)
            made[f"{at}.conv2.weight"] = (GROWTH, BOTTLENECK, 3, 3)
            width += GROWTH
        if block < len(BLOCKS):
            at = f"features.transition{block}"
            norm(f"{at}.norm", width)
            made[f"{at}.conv.weight"] = (width // 2, width, 1, 1)
            width //= 2
    norm("features.norm5", width)
    return {**made, KERNEL: (outputs, width), BIAS: (outputs,)}


def keras_name(name: str) -> tuple[str, str]:
    """Return the layer of keras' DenseNet121 and its variable that hold a weight of the body."""
    layer, _, part = name.removeprefix("features.").rpartition(".")
    convolves = "conv" in layer.rpartition(".")[2]
    return _keras_layer(layer), "kernel" if convolves else _BATCH_NORM[part]


def _keras_layer(layer: str) -> str:
    fixed = {"conv0": "conv1_conv", "norm0": "conv1_bn", "norm5": "bn"}
    if layer in fixed:
        return fixed[layer]
    if match := re.fullmatch(r"transition(\d)\.(norm|conv)", layer):
        return f"pool{int(match[1]) + 1}_{'bn' if match[2] == 'norm' else 'conv'}"
    match = re.fullmatch(r"denseblock(\d)\.denselayer(\d+)\.(norm1|conv1|norm2|conv2)", layer)
    if match is None:
        raise KeyError(layer)
    part = {"norm1": "0_bn", "conv1": "1_conv", "norm2": "1_bn", "conv2": "2_conv"}[match[3]]
    return f"conv{int(match[1]) + 1}_block{match[2]}_{part}"


def _only_state(tree: Any) -> dict[str, Tensor]:
    """Return the one state_dict in a checkpoint, with its keys as they are."""
    top = {"": tree} | (tree if type(tree) is dict else {})
    states = {key: dict(_tensors(value)) for key, value in top.items() if _holds(value)}
    found = {key: state for key, state in states.items() if any(map(_is_first, state))}
    if len(found) != 1:
        rule = "A checkpoint must hold one DenseNet, by torchvision's names (features.conv0…)."
        names = sorted({str(key) for key in [*found, *top, *states.get("", {})] if key != ""})
        many = "none" if not found else f"{len(found)}"
        raise BadInput("checkpoint", f"{rule} Received: {many}, in {', '.join(names) or 'it'}.")
    return next(iter(found.values()))


def _holds(value: Any) -> bool:
    return type(value) is dict or isinstance(value, Layer)


def _is_first(name: str) -> bool:
    return name.endswith(FIRST_KERNEL)


def _tensors(value: Any) -> Iterator[tuple[str, Tensor]]:
    """Yield what a state_dict holds, or the state_dict of a model that was saved as a whole."""
    if type(value) is dict:
        for key, held in value.items():
            if isinstance(held, Tensor):
                yield str(key), held
        return
    waiting = [("", value)]
    for _ in range(LAYERS):
        if not waiting:
            return
        at, layer = waiting.pop()
        for kind in ("_parameters", "_buffers", "_modules"):
            held = layer.state.get(kind)
            for key, part in held.items() if type(held) is dict else ():
                if isinstance(part, Tensor):
                    yield f"{at}{key}", part
                elif isinstance(part, Layer):
                    waiting.append((f"{at}{key}.", part))
    rule = f"A model that was saved as a whole may have {LAYERS:,} layers."
    raise BadInput("checkpoint", f"{rule} Received: more. Save its state_dict() alone.")


def _canonical(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state under today's names: without module. and the like, and without counters."""
    prefixes = [name.removesuffix(FIRST_KERNEL) for name in state if _is_first(name)]
    if len(prefixes) != 1:
        rule = "A checkpoint must hold one DenseNet."
        raise BadInput("checkpoint", f"{rule} Received: {', '.join(sorted(prefixes))}.")
    made: dict[str, Tensor] = {}
    for key, tensor in state.items():
        name = _OLD.sub(r".\1\2.", key.removeprefix(prefixes[0]))
        if _CLASSIFIER.fullmatch(name):
            name = f"classifier.{name.rpartition('.')[2]}"
        if name.endswith(".num_batches_tracked"):
            continue  # Only PyTorch's cumulative averages need it.
        if name in made:
            rule = "A checkpoint must have one tensor for each weight, and one linear classifier."
            raise BadInput("checkpoint", f"{rule} Received: a second one, {key}.")
        made[name] = tensor
    return made


def _check(state: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]]) -> None:
    missing = [name for name in expected if name not in state]
    unexpected = [name for name in state if name not in expected]
    unlike = [
        f"{name} {state[name].dtype} {list(state[name].shape)} for {list(shape)}"
        for name, shape in expected.items()
        if name in state and (state[name].shape != shape or state[name].dtype not in FLOATS)
    ]
    told = {"missing": missing, "unexpected": unexpected, "of another shape or type": unlike}
    if wrong := [f"{what}: {', '.join(names)}" for what, names in told.items() if names]:
        rule = "A checkpoint must hold the floating-point weights of a DenseNet-121, and no others."
        raise BadInput("checkpoint", f"{rule} Received: {'; '.join(wrong)}.")
