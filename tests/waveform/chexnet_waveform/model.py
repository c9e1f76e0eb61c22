"""A network for traces: three 1-D convolutions. It has no maps, so releases of it have no cam."""

from __future__ import annotations

import keras
from keras import layers


class WaveformCNN:
    """Convolutions at half the samples each; max pooling, since one beat may be the finding."""

    name = "waveform_cnn"

    def build(
        self,
        shape: tuple[int, ...],
        labels: tuple[str, ...],
        *,
        weights: str | None = None,
        width: int = 16,
    ) -> keras.Model:
        """Return the model; see Network.build. `width`: channels of the first convolution."""
        trace = keras.Input(shape, dtype="uint8", name="x")
        x = layers.Rescaling(1 / 127.5, offset=-1.0, name="normalise")(trace)
        for block in range(3):
            x = layers.Conv1D(
                width * 2**block,
                7,
                strides=2,
                padding="same",
                activation="relu",
                name=f"conv{block}",
            )(x)
        both = [layers.GlobalAveragePooling1D()(x), layers.GlobalMaxPooling1D()(x)]
        features = layers.Concatenate(name="features")(both)
        logits = layers.Dense(len(labels), name="logits")(features)
        model = keras.Model(trace, {"logits": logits, "features": features}, name=self.name)
        if weights is not None:
            model.load_weights(weights)
        return model
