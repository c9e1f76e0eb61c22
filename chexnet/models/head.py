"""What image networks end in: global average pooling, one logit per label, and their maps."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from chexnet.models.base import CAM, FEATURES


@keras.saving.register_keras_serializable(package="chexnet")
class CamHead(keras.layers.Layer):
    """Feature maps f_k in; logits, features and class activation maps M_c = Σ_k w_ck f_k out.

    The mean of M_c over the map, plus the bias, is the logit of c (Zhou et al. 2016,
    arXiv:1512.04150): so the maps cost one small product and no second set of weights.

    Args:
        labels: how many logits.
    """

    def __init__(self, labels: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.labels = labels

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights w [K, L] and the bias [L]."""
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1], self.labels), initializer="glorot_uniform"
        )
        self.bias = self.add_weight(name="bias", shape=(self.labels,), initializer="zeros")

    def call(self, maps: Any) -> dict[str, Any]:
        """Return logits [N, L], features [N, K] and cam [N, L, h, w] of maps [N, h, w, K]."""
        features = ops.mean(maps, axis=(1, 2))
        return {
            "logits": ops.matmul(features, self.kernel) + self.bias,
            FEATURES: features,
            CAM: ops.transpose(ops.matmul(maps, self.kernel), (0, 3, 1, 2)),
        }

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds it."""
        return {**super().get_config(), "labels": self.labels}
