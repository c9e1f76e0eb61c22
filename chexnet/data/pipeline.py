"""From a dataset on disk to batches in tf.data. The order is a function of seed and step alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
import tensorflow as tf
from msgspec import Struct
from numpy.typing import NDArray

from chexnet.data.checkout import Dataset

AHEAD = 2  # Batches that are read while the model works on another.

Batch = tuple[NDArray[np.uint8], NDArray[np.uint8]]


class Share(Struct, frozen=True):
    """Which parts of every batch one process reads: `first` to `first + own` of `parts`."""

    parts: int = 1  # Replicas, in all processes together.
    first: int = 0
    own: int = 1


def in_order(data: Dataset, rows: NDArray[np.intp], batch_size: int) -> tf.data.Dataset:
    """Return the images of `rows` once, as batches of x and y."""

    def chosen(number: int) -> NDArray[np.intp]:
        return rows[number * batch_size :][:batch_size]

    numbers = tf.data.Dataset.range(math.ceil(len(rows) / batch_size))
    return numbers.map(_reading(data, chosen)).prefetch(AHEAD)


def shuffled(
    data: Dataset,
    rows: NDArray[np.intp],
    batch_size: int,
    *,
    seed: int,
    flip: bool,
    start: int = 0,
    share: Share = Share(),  # noqa: B008 - it is frozen.
) -> tf.data.Dataset:
    """Return the images of `rows` for ever, in a new order each time they have all been seen.

    Args:
        data: the dataset.
        rows: of which images.
        batch_size: what does not fill a last batch is left out of that order.
        seed: the same seed gives the same batches.
        flip: whether each image is mirrored left to right with a chance of one half.
        start: how many batches have been seen: it goes on with the next.
        share: of each batch; its parts come one after the other. Each has as many images.
    """
    size = min(batch_size, len(rows)) // share.parts * share.parts
    each, per_order = size // share.parts, len(rows) // size

    @lru_cache(maxsize=1)
    def order(number: int) -> NDArray[np.intp]:
        return np.random.default_rng([seed, number]).permutation(rows)

    def chosen(number: int) -> NDArray[np.intp]:
        step, part = divmod(number, share.parts)
        epoch, within = divmod(step, per_order)
        return order(epoch)[within * size + part * each :][:each]

    def number(count: Any) -> Any:
        return count // share.own * share.parts + share.first + count % share.own

    numbers = tf.data.Dataset.counter(start * share.own).map(number)
    batches = numbers.map(_reading(data, chosen))
    if flip:  # Beside the reading of the next ones.
        mirrored = partial(_mirrored, seed=seed)
        batches = tf.data.Dataset.zip(numbers, batches).map(mirrored, num_parallel_calls=AHEAD)
    return batches.prefetch(AHEAD * share.own)


def _reading(
    data: Dataset, chosen: Callable[[int], NDArray[np.intp]]
) -> Callable[[Any], tuple[Any, Any]]:
    """Return what reads a batch, as an operation of TensorFlow's: of its number."""
    shapes = (None, *data.index.shape), (None, len(data.index.labels))

    def rows(number: np.int64) -> Batch:
        part = chosen(int(number))
        return data.x[part], data.y[part]

    def read(number: Any) -> tuple[Any, Any]:
        x, y = tf.numpy_function(rows, [number], (tf.uint8, tf.uint8))
        return tf.ensure_shape(x, shapes[0]), tf.ensure_shape(y, shapes[1])

    return read


def _mirrored(number: Any, batch: tuple[Any, Any], *, seed: int) -> tuple[Any, Any]:
    """Return a batch, each of its images mirrored left to right with a chance of one half.

    Only those are turned that are chosen, and grey ones without their axis of channels: tf.image
    turns all of them, which took longer than reading them.
    """
    x, y = batch
    count = tf.shape(x)[0]
    turned = tf.random.stateless_uniform([count], [seed, number]) < 0.5
    left, right = tf.dynamic_partition(tf.range(count), tf.cast(turned, tf.int32), 2)
    chosen = tf.gather(x, right)
    grey = x.shape[-1] == 1
    chosen = tf.reverse(chosen[..., 0], [2])[..., tf.newaxis] if grey else tf.reverse(chosen, [2])
    stitched = tf.dynamic_stitch([left, right], [tf.gather(x, left), chosen])
    return tf.ensure_shape(stitched, x.shape), y
