"""Binary cross-entropy over the findings that somebody has assessed."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from chexnet.data.labels import UNKNOWN


@keras.saving.register_keras_serializable(package="chexnet")
class MaskedCrossentropy(keras.losses.Loss):
    """The mean over all known findings of a batch; an unknown one (255) adds nothing.

    It is unweighted, as in CheXNet: the mean of 14 terms where the paper has their sum.
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of logits [N, L] against 0, 1 or 255 [N, L]."""
        known = ops.cast(ops.not_equal(y_true, UNKNOWN), y_pred.dtype)
        target = ops.cast(y_true, y_pred.dtype) * known
        # log(1 + e^z) - t z, in the form that overflows for no z.
        each = ops.relu(y_pred) - target * y_pred + ops.log1p(ops.exp(-ops.abs(y_pred)))
        return ops.sum(each * known) / ops.maximum(ops.sum(known), 1.0)
