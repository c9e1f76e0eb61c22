"""densenet121: the network of CheXNet (Huang et al. 2017, arXiv:1608.06993)."""

from __future__ import annotations

import keras
from keras import layers

from chexnet.errors import ConfigError
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
            weights: `imagenet` (of the body), the path of a file of this whole model, or None.
            resolution: rows and columns that it looks at; None for the input's.
        """
        image = keras.Input(shape, dtype="uint8", name="x")
        x = layers.Rescaling(1 / 255, name="rescale")(image)
        x = downsize(x, shape, resolution)
        if shape[-1] == 1:
            x = layers.Concatenate(name="grey_to_rgb")([x, x, x])
        variance = [s**2 for s in STD]
        x = layers.Normalization(mean=MEAN, variance=variance, name="normalise")(x)
        maps = _body(x.shape[1:], imagenet=weights == "imagenet")(x)
        model = keras.Model(image, CamHead(len(labels), name="head")(maps), name=self.name)
        if weights not in {None, "imagenet"}:
            model.load_weights(weights)
        return model


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
        todo = "Copy the file into ~/.keras/models, or train from random weights (weights=None)."
        raise ConfigError(f"{rule} Received: {error}. {todo}") from error
