"""From a Keras model to a release: a frozen SavedModel with its card, golden outputs and warm-up.

Freezing first is what lets OpenVINO read the SavedModel, and halves its size and load time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from chexnet.models import card as cards
from chexnet.models.base import CAM, FEATURES, INPUT, PROBABILITIES
from chexnet.models.card import Card

SIGNATURE = "serving_default"


def export(model: keras.Model, release: Path, card: Card, examples: NDArray[np.uint8]) -> None:
    """Write `model` as a release into the folder `release`.

    Args:
        model: as Network.build returns it, trained.
        release: the folder to make; it must not exist.
        card: its shape and labels must be the model's.
        examples: uint8 [N, *shape], a few canonical images; a server that gives other outputs for
            them than this process did must not serve the release.

    Raises:
        FileExistsError: the folder exists.
        ValueError: the model's logits are not one for each of the card's labels.
    """
    release.mkdir(parents=True)
    serve = _frozen(model, card.shape)
    golden = {name: value.numpy() for name, value in serve(tf.constant(examples)).items()}
    if golden[PROBABILITIES].shape != (len(examples), len(card.labels)):
        rule = f"The model must give one logit for each of the {len(card.labels)} labels."
        received = f"Received: outputs of shape {golden[PROBABILITIES].shape}."
        raise ValueError(f"{rule} {received} Build it with the labels of the card.")
    module = tf.Module()
    module.serve = serve
    tf.saved_model.save(module, str(release), signatures={SIGNATURE: serve})
    cards.write(card, release)
    arrays: dict[str, Any] = {INPUT: examples, **golden}
    np.savez(release / cards.GOLDEN, **arrays)
    _write_warmup(release / cards.WARMUP, card.network, examples)


def _frozen(model: keras.Model, shape: tuple[int, ...]) -> Any:
    """Return a tf.function from `x` to the contract's outputs, its weights being constants."""
    x = tf.TensorSpec([None, *shape], tf.uint8, name=INPUT)

    def answer(x: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = model(x, training=False)
        answers = {
            PROBABILITIES: tf.sigmoid(tf.cast(outputs["logits"], tf.float32)),
            FEATURES: tf.cast(outputs["features"], tf.float32),
        }
        if CAM in outputs:
            answers[CAM] = tf.cast(outputs[CAM], tf.float32)
        return answers

    concrete = tf.function(answer).get_concrete_function(x)
    constant = convert_variables_to_constants_v2(concrete)
    names = sorted(concrete.structured_outputs)  # The order in which a dict is flattened.

    def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return dict(zip(names, constant(x), strict=True))

    return tf.function(serve, input_signature=[x])


def _write_warmup(path: Path, name: str, examples: NDArray[np.uint8]) -> None:
    """Write requests of one image and of all: TF Serving sends them to itself after loading."""
    with tf.io.TFRecordWriter(str(path)) as records:
        for batch in (examples[:1], examples):
            request = predict_pb2.PredictRequest()
            request.model_spec.name = name
            request.model_spec.signature_name = SIGNATURE
            request.inputs[INPUT].CopyFrom(tf.make_tensor_proto(batch))
            log = prediction_log_pb2.PredictionLog()
            log.predict_log.request.CopyFrom(request)
            records.write(log.SerializeToString())
