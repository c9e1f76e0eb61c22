"""Arrays to and from TensorProto, in every form that TensorFlow's own clients write."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chexnet.adapters.tf_serving.messages import tensor_pb2, types_pb2

_DTYPES: dict[int, np.dtype[Any]] = {
    types_pb2.DT_FLOAT: np.dtype("float32"),
    types_pb2.DT_DOUBLE: np.dtype("float64"),
    types_pb2.DT_HALF: np.dtype("float16"),
    types_pb2.DT_UINT8: np.dtype("uint8"),
    types_pb2.DT_UINT16: np.dtype("uint16"),
    types_pb2.DT_UINT32: np.dtype("uint32"),
    types_pb2.DT_UINT64: np.dtype("uint64"),
    types_pb2.DT_INT8: np.dtype("int8"),
    types_pb2.DT_INT16: np.dtype("int16"),
    types_pb2.DT_INT32: np.dtype("int32"),
    types_pb2.DT_INT64: np.dtype("int64"),
    types_pb2.DT_BOOL: np.dtype("bool"),
}
_ENUMS = {dtype: enum for enum, dtype in _DTYPES.items()}
# The repeated field of each type; small integers share one.
_FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    "float16": "half_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
    "int64": "int64_val",
    "bool": "bool_val",
}


def name(enum: int) -> str:
    """Return a type's name as TensorFlow's errors write it, e.g. `uint8`, `float`."""
    text: str = types_pb2.DataType.Name(enum)
    return text.removeprefix("DT_").lower()


def dtype(enum: int) -> np.dtype[Any]:
    """Return the array type of TensorFlow's `enum`; raise ValueError where there is none."""
    try:
        return _DTYPES[enum]
    except KeyError as error:
        raise ValueError(f"Tensors of type {name(enum)} are not supported.") from error


def enum(kind: np.dtype[Any]) -> int:
    """Return TensorFlow's number of an array type; raise ValueError where there is none."""
    if kind not in _ENUMS:
        raise ValueError(f"Arrays of type {kind} can't be sent. Convert them to float32 or uint8.")
    return _ENUMS[kind]


def to_array(tensor: tensor_pb2.TensorProto) -> NDArray[Any]:
    """Return the array that `tensor` holds; it may be read-only.

    Raises:
        ValueError: the type is not a number's, or the values don't fill the shape.
    """
    kind = dtype(tensor.dtype)
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    if tensor.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise ValueError("A tensor that is sent must have a shape without unknown sizes.")
    count = prod(shape)
    if tensor.tensor_content:
        if len(tensor.tensor_content) != count * kind.itemsize:
            received = f"Received: {len(tensor.tensor_content)} bytes."
            raise ValueError(f"Shape {list(shape)} of {kind} needs {count} values. {received}")
        return np.frombuffer(tensor.tensor_content, kind).reshape(shape)
    values = _values(tensor, kind)
    if len(values) > count or (count and not len(values)):
        raise ValueError(f"Shape {list(shape)} needs {count} values. Received: {len(values)}.")
    # TensorFlow leaves out a tail of equal values: the last one stands for the rest.
    return np.pad(values, (0, count - len(values)), mode="edge" if count else "empty").reshape(
        shape
    )


def _values(tensor: tensor_pb2.TensorProto, kind: np.dtype[Any]) -> NDArray[Any]:
    values = getattr(tensor, _FIELDS.get(kind.name, "int_val"))
    if kind.name == "float16":  # Their bits, as integers.
        return np.array(values, dtype=np.uint16).view(np.float16)
    return np.array(values, dtype=np.int64 if kind.name in {"uint8", "uint16"} else kind).astype(
        kind
    )


def to_proto(array: NDArray[Any]) -> tensor_pb2.TensorProto:
    """Return `array` as a message, its bytes as they lie in memory."""
    tensor = tensor_pb2.TensorProto(
        dtype=enum(array.dtype), tensor_content=np.ascontiguousarray(array).tobytes()
    )
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor
