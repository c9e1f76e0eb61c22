"""Example images of a run: one with each finding, beside the map of where the network saw it."""

from __future__ import annotations

import keras
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from chexnet.data.checkout import Dataset
from chexnet.inputs.base import Input
from chexnet.models.base import CAM

MOST = 16  # Labels that get one: a page of pictures is looked at, a hundred are not.


class Example(Struct, frozen=True):
    """One image, as the input draws it."""

    label: str  # A finding that it has.
    told: str  # What the model says of that finding.
    pictures: tuple[bytes, ...]  # PNGs of one size: plain, and with the map where there are maps.


def choose(
    model: keras.Model, source: Input, data: Dataset, rows: NDArray[np.intp]
) -> list[Example]:
    """Return the first image with each finding: the same ones for every run on the dataset.

    Args:
        model: the network.
        source: the dataset's input.
        data: the dataset.
        rows: of which images.
    """
    having = [(i, rows[data.y[rows, i] == 1]) for i in range(len(data.index.labels))]
    chosen = [(i, found[0]) for i, found in having if len(found)][:MOST]
    if not chosen:
        return []
    x = np.asarray(data.x[[row for _, row in chosen]])
    said = model(x, training=False)  # A few images: not worth tracing a graph for.
    outputs = {name: keras.ops.convert_to_numpy(value) for name, value in said.items()}
    probabilities = 1 / (1 + np.exp(-outputs["logits"].astype(np.float64)))
    examples = []
    for number, (label, row) in enumerate(chosen):
        pictures = [source.render(x[number])]
        if CAM in outputs:
            pictures.append(source.overlay(x[number], outputs[CAM][number, label]))
        name = data.index.labels[label]
        told = f"{name} is present; the model says {probabilities[number, label]:.2f}. "
        told += f"Validation image {data.image_id[row]}."
        examples.append(Example(name, told, tuple(pictures)))
    return examples
