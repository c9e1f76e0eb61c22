"""densenet121: the network of CheXNet (Huang et al. 2017, arXiv:1608.06993)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras
from keras import layers

from chexnet.errors import ConfigError
from chexnet.models.base import WeightsMissing
from chexnet.models.checkpoints import densenet
from chexnet.models.checkpoints import weights as imported
from chexnet.models.checkpoints.densenet import Arrays
from chexnet.models.checkpoints.weights import Header, Normalisation
from chexnet.models.head import CamHead
from chexnet.models.resolution import downsize

# Of ImageNet's pixels in 0 to 1: what the published weights expect.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class DenseNet121:
    """DenseNet-121 with one logit per label in place of ImageNet's thousand classes."""

    name = "densenet121"

    def build(
        self,
        shape: tuple[int, ...],
        labels: tuple[str, ...],
        *,
        weights: str | None = None,
        resolution: int | None = None,
    ) -> keras.Model:
        """Return the model; see Network.build.

        Args:
            shape: rows, columns, channels; grey images are repeated to the three channels.
            labels: the findings.
            weights: `imagenet` (of the body), a file that chexnet import-weights wrote, one that
                keras wrote of this whole model or of its body (keras' own `…_notop.h5`), or None.
            resolution: rows and columns that it looks at; None for the input's.

        Raises:
            ConfigError: imported weights lack a label, or there is no such file.
        """
        if weights is not None and weights.endswith(imported.SUFFIX):
            return self._imported(shape, labels, Path(weights), resolution)
        model = self._whole(shape, labels, resolution, imagenet=weights == "imagenet")
        if weights not in {None, "imagenet"}:
            _load(model, weights)
        return model

    def _whole(
        self,
        shape: tuple[int, ...],
        labels: tuple[str, ...],
        resolution: int | None,
        *,
        channels: int = 3,
        normalisation: Normalisation = "imagenet",
        imagenet: bool = False,
    ) -> keras.Model:
        image = keras.Input(shape, dtype="uint8", name="x")
        x = layers.Rescaling(1 / 255, name="rescale")(image)
        x = downsize(x, shape, resolution)
        if (shape[-1], channels) == (1, 3):
            x = layers.Concatenate(name="grey_to_rgb")([x, x, x])
        x = _normalised(x, normalisation)
        maps = _body(x.shape[1:], imagenet=imagenet)(x)
        return keras.Model(image, CamHead(len(labels), name="head")(maps), name=self.name)

    def _imported(
        self, shape: tuple[int, ...], labels: tuple[str, ...], path: Path, resolution: int | None
    ) -> keras.Model:
        header, arrays = imported.read(path)
        model = self._whole(
            shape,
            labels,
            resolution,
            channels=arrays[densenet.FIRST_KERNEL].shape[1],
            normalisation=header.normalisation,
        )
        _fill(model, header, labels, arrays)
        return model


def _load(model: keras.Model, path: str) -> None:
    """Fill the model, or its body alone, from a file that keras wrote."""
    try:
        model.load_weights(path)
    except ValueError:  # Not of these layers: is it of the body's?
        body = model.get_layer("body")
        try:
            body.load_weights(path)
        except ValueError as error:
            rule = "Weights must be of chexnet import-weights, or of keras: of this network or its"
            raise ConfigError(f"{rule} body. Received: {path}: {error}") from error
    except OSError as error:
        rule = "Weights must be a file of this machine's that can be read."
        raise ConfigError(f"{rule} Received: {path}: {error}. Correct the config.") from error


def _normalised(x: Any, normalisation: Normalisation) -> Any:
    """Return pixels of 0 to 1 as the weights were trained on them."""
    if normalisation == "torchxrayvision":  # From -1024 to 1024, whatever the channel.
        return layers.Rescaling(2048, offset=-1024, name="normalise")(x)
    variance = [s**2 for s in STD]
    return layers.Normalization(mean=MEAN, variance=variance, name="normalise")(x)


def _fill(model: keras.Model, header: Header, labels: tuple[str, ...], arrays: Arrays) -> None:
    """Put PyTorch's weights into the model; both pad the first convolution and its pool alike."""
    body, head = model.get_layer("body"), model.get_layer("head")
    for layer in body.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.epsilon = densenet.EPSILON
    for name, array in arrays.items():
        if name.startswith("features."):
            layer, variable = densenet.keras_name(name)
            # Of a convolution: outputs, inputs, rows, columns there; rows first and outputs last.
            turned = array.transpose(2, 3, 1, 0) if variable == "kernel" else array
            getattr(body.get_layer(layer), variable).assign(turned)
    chosen = imported.columns(header.labels, labels)
    head.kernel.assign(arrays[densenet.KERNEL][chosen].T)
    head.bias.assign(arrays[densenet.BIAS][chosen])


def _body(shape: tuple[int, ...], *, imagenet: bool) -> keras.Model:
    weights = "imagenet" if imagenet else None
    try:
        return keras.applications.DenseNet121(
            include_top=False, weights=weights, input_shape=shape, name="body"
        )
    except Exception as error:  # keras has no narrower class for a download that failed.
        if "URL fetch failure" not in str(error):
            raise
        rule = "ImageNet weights must be in keras' cache, or its download site must be reachable."
        cache = Path(os.environ.get("KERAS_HOME", "~/.keras")) / "models"
        todo = f"Copy the file into {cache}, or name a local file in the config."
        raise WeightsMissing(f"{rule} Received: {error}. {todo}") from error
