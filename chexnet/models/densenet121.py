"""densenet121: the network of CheXNet (Huang et al. 2017, arXiv:1608.06993)."""

from __future__ import annotations

import keras
from keras import layers

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
        body = keras.applications.DenseNet121(
            include_top=False,
            weights="imagenet" if weights == "imagenet" else None,
            input_shape=x.shape[1:],
            name="body",
        )
        model = keras.Model(image, CamHead(len(labels), name="head")(body(x)), name=self.name)
        if weights not in {None, "imagenet"}:
            model.load_weights(weights)
        return model
