"""Downsizing inside the graph: a network may look at fewer pixels than its input has."""

from __future__ import annotations

from typing import Any

import keras


def downsize(x: Any, shape: tuple[int, ...], resolution: int | None) -> Any:
    """Return the images `x` of `shape`, averaged down to `resolution` rows and columns.

    Averaging whole blocks is exact and antialiased, and every engine has the operation.

    Raises:
        ValueError: the resolution doesn't divide the input's rows and columns.
    """
    if resolution is None or resolution == shape[0] == shape[1]:
        return x
    if resolution < 1 or shape[0] % resolution or shape[1] % resolution:
        rule = f"The resolution must divide the input's {shape[0]} rows and {shape[1]} columns."
        raise ValueError(f"{rule} Received: {resolution}. Take {shape[0] // 2}, for example.")
    block = (shape[0] // resolution, shape[1] // resolution)
    return keras.layers.AveragePooling2D(block, name="downsize")(x)
