"""Where a training runs: one device, several of this host, or several hosts."""

from __future__ import annotations

import json
import os

import tensorflow as tf

from chexnet.data.pipeline import Share
from chexnet.errors import ConfigError


def strategy() -> tf.distribute.Strategy:
    """Return how TensorFlow spreads a training; call it before any other work of TensorFlow's.

    TF_CONFIG names the hosts where there are several (Ansible renders it for the hosts of the group
    `training`); they wait for each other here. One host uses all of its GPUs.
    """
    workers = json.loads(os.environ.get("TF_CONFIG", "{}")).get("cluster", {}).get("worker", [])
    if len(workers) > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) > 1:
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.get_strategy()


def chief() -> bool:
    """Return whether this process exports the model; the others only compute."""
    return int(json.loads(os.environ.get("TF_CONFIG", "{}")).get("task", {}).get("index", 0)) == 0


def share(context: tf.distribute.InputContext, where: tf.distribute.Strategy) -> Share:
    """Return which parts of each batch this process reads."""
    own = where.num_replicas_in_sync // context.num_input_pipelines
    return Share(where.num_replicas_in_sync, context.input_pipeline_id * own, own)


def divided(batch: int, where: tf.distribute.Strategy) -> int:
    """Return the images of a batch; raise ConfigError unless replicas get equally many of them."""
    replicas = where.num_replicas_in_sync
    if batch % replicas:
        rule = f"The batch must be a multiple of the {replicas} devices that share it."
        raise ConfigError(f"{rule} Received: {batch} images. Change batch_size in the config.")
    return batch


def check_accumulation(steps: int, where: tf.distribute.Strategy) -> None:
    """Raise ConfigError where several devices would accumulate gradients: keras can't."""
    if steps > 1 and (replicas := where.num_replicas_in_sync) > 1:
        rule = f"A training on {replicas} devices updates the weights at every step."
        todo = f"Set accumulate=1 in the config: {replicas} devices share larger batches."
        raise ConfigError(f"{rule} Received: accumulate={steps}. {todo}")


def first(value: int, where: tf.distribute.Strategy) -> int:
    """Return what `value` is at the first host: all hosts must ask."""
    if not isinstance(where, tf.distribute.MultiWorkerMirroredStrategy):
        return value
    each = where.run(lambda: tf.constant(value if chief() else -1, tf.int64))
    return int(tf.reduce_max(where.gather(tf.reshape(each, [1]), axis=0)))
