"""Tensors of a checkpoint, known by type and shape before a byte of them is read."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chexnet.errors import BadInput

# As safetensors and PyTorch call them → how numpy reads them. bfloat16 is widened after.
TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}
AXES = 8  # Of a tensor, at most; a convolution's weights have 4.
FLOATS = ("F64", "F32", "F16", "BF16")


@dataclass(frozen=True)
class Tensor:
    """One tensor.

    Args:
        dtype: one of TYPES.
        shape: of it.
        read: returns its bytes, little endian and in C order.
    """

    dtype: str
    shape: tuple[int, ...]
    read: Callable[[], bytes]

    def array(self) -> NDArray[np.float32]:
        """Return it as 32-bit floats."""
        stored = np.frombuffer(self.read(), TYPES[self.dtype]).reshape(self.shape)
        if self.dtype == "BF16":  # The upper half of a 32-bit float.
            return (stored.astype(np.uint32) << 16).view(np.float32)
        return stored.astype(np.float32)


@dataclass(frozen=True)
class Storage:
    """A run of numbers that PyTorch's tensors are views of.

    Args:
        dtype: one of TYPES.
        key: its name in the file.
        elements: how many numbers it has.
        read: returns its bytes.
    """

    dtype: str
    key: str
    elements: int
    read: Callable[[Storage], bytes]

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.elements * np.dtype(TYPES[self.dtype]).itemsize

    def view(self, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Tensor:
        """Return the tensor that starts at an offset and goes on by strides, all in elements.

        Raises:
            BadInput: it would reach out of the storage, or be larger than it.
        """
        numbers = (offset, *shape, *strides)
        known = len(shape) == len(strides) <= AXES
        if not known or not all(type(n) is int and n >= 0 for n in numbers):
            raise BadInput("checkpoint", _said(f"{shape} by {strides} from {offset}"))
        last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        count = math.prod(shape)  # A stride of 0 would make much of little.
        if count > self.elements or (count and last >= self.elements):
            raise BadInput("checkpoint", _said(f"{shape} from {offset} in {self.elements} numbers"))

        def read() -> bytes:
            stored = np.frombuffer(self.read(self), TYPES[self.dtype])
            steps = [step * stored.itemsize for step in strides]
            return np.lib.stride_tricks.as_strided(stored[offset:], shape, steps).tobytes()

        return Tensor(self.dtype, shape, read)


def _said(received: str) -> str:
    rule = "A tensor must lie within its storage, and be no larger."
    return f"{rule} Received: {received}. The file is damaged: get it again."
