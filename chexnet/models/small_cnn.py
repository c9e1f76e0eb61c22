"""small_cnn: a few convolutions, for demos and tests. Learns in seconds what phantoms show."""

from __future__ import annotations

import keras
from keras import layers

from chexnet.models.head import CamHead
from chexnet.models.resolution import downsize


class SmallCNN:
    """Blocks of two 3x3 convolutions, each at half the rows and columns of the one before."""

    name = "small_cnn"

    def build(
        self,
        shape: tuple[int, ...],
        labels: tuple[str, ...],
        *,
        weights: str | None = None,
        resolution: int | None = None,
        width: int = 16,
        blocks: int = 4,
    ) -> keras.Model:
        """Return the model; see Network.build.

        Args:
            shape: rows, columns, channels.
            labels: the findings.
            weights: a file's path, or None.
            resolution: rows and columns that it looks at; None for the input's.
            width: channels of the first block; each block has twice those of the one before.
            blocks: how many; the maps are 2 ** blocks times smaller than the resolution.
        """
        image = keras.Input(shape, dtype="uint8", name="x")
        x = layers.Rescaling(1 / 127.5, offset=-1.0, name="normalise")(image)
        x = downsize(x, shape, resolution)
        for block in range(blocks):
            for half in range(2):
                x = layers.Conv2D(
                    width * 2**block,
                    3,
                    strides=2 - half,  # The first of the two halves rows and columns.
                    padding="same",
                    use_bias=False,
                    name=f"conv{block}_{half}",
                )(x)
                x = layers.BatchNormalization(momentum=0.9, name=f"norm{block}_{half}")(x)
                x = layers.ReLU(name=f"relu{block}_{half}")(x)
        model = keras.Model(image, CamHead(len(labels), name="head")(x), name=self.name)
        if weights is not None:
            model.load_weights(weights)
        return model
