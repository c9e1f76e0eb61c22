"""From a dataset on disk to batches in tf.data. The order is a function of seed and epoch alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from chexnet.data.checkout import Dataset

Batch = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def in_order(data: Dataset, rows: NDArray[np.intp], batch_size: int) -> tf.data.Dataset:
    """Return the images of `rows` once, as batches of x and y."""

    def read() -> Iterator[Batch]:
        for start in range(0, len(rows), batch_size):
            part = rows[start : start + batch_size]
            yield data.x[part], data.y[part]

    batches = tf.data.Dataset.from_generator(read, output_signature=_signature(data))
    known = tf.data.experimental.assert_cardinality(math.ceil(len(rows) / batch_size))
    return batches.apply(known).prefetch(2)


def shuffled(
    data: Dataset, rows: NDArray[np.intp], batch_size: int, *, seed: int, flip: bool
) -> tf.data.Dataset:
    """Return the images of `rows` for ever, in a new order each epoch.

    Args:
        data: the dataset.
        rows: of which images.
        batch_size: a last, smaller batch of an epoch is left out.
        seed: the same seed gives the same batches.
        flip: whether each image is mirrored left to right with a chance of one half.
    """
    size = min(batch_size, len(rows))

    def read() -> Iterator[Batch]:
        for epoch in count():
            order = np.random.default_rng([seed, epoch]).permutation(rows)
            for start in range(0, len(rows) - size + 1, size):
                part = order[start : start + size]
                yield data.x[part], data.y[part]

    batches = tf.data.Dataset.from_generator(read, output_signature=_signature(data))
    if flip:
        batches = batches.enumerate().map(lambda step, batch: _flipped(step, *batch, seed=seed))
    return batches.prefetch(2)


def _flipped(step: Any, x: Any, y: Any, *, seed: int) -> tuple[Any, Any]:
    return tf.image.stateless_random_flip_left_right(x, seed=[tf.cast(seed, tf.int64), step]), y


def _signature(data: Dataset) -> tuple[tf.TensorSpec, tf.TensorSpec]:
    return (
        tf.TensorSpec([None, *data.index.shape], tf.uint8),
        tf.TensorSpec([None, len(data.index.labels)], tf.uint8),
    )
