"""Tensors survive the way through a message, in every form that clients write."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chexnet.adapters.tf_serving import tensors
from chexnet.adapters.tf_serving.messages import tensor_pb2, types_pb2

FLOATS = ["float32", "float64", "float16"]
UNSIGNED = ["uint8", "uint16", "uint32", "uint64", "bool"]
SIGNED = ["int8", "int16", "int32", "int64"]


def message(enum: int, shape: tuple[int, ...], **fields: Any) -> Any:
    made = tensor_pb2.TensorProto(dtype=enum, **fields)
    for size in shape:
        made.tensor_shape.dim.add(size=size)
    return made


@pytest.mark.parametrize("dtype", [*FLOATS, *UNSIGNED, *SIGNED])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_an_array_comes_back_as_it_was(dtype: str, shape: tuple[int, ...]) -> None:
    array = (np.arange(np.prod(shape)) - 1).reshape(shape).astype(dtype)
    back = tensors.to_array(tensors.to_proto(array))
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize(
    ("enum", "fields", "values"),
    [
        (types_pb2.DT_FLOAT, {"float_val": [0.5, 1.5, 2.5]}, [0.5, 1.5, 2.5]),
        (types_pb2.DT_DOUBLE, {"double_val": [0.5, 1.5, 2.5]}, [0.5, 1.5, 2.5]),
        (types_pb2.DT_UINT8, {"int_val": [1, 2, 255]}, [1, 2, 255]),
        (types_pb2.DT_INT8, {"int_val": [1, -2, 3]}, [1, -2, 3]),
        (types_pb2.DT_INT64, {"int64_val": [1, -2, 3]}, [1, -2, 3]),
        (types_pb2.DT_BOOL, {"bool_val": [True, False, True]}, [1, 0, 1]),
        # The bits of 1.0, 0.5 and -2.0 in half precision.
        (types_pb2.DT_HALF, {"half_val": [0x3C00, 0x3800, 0xC000]}, [1.0, 0.5, -2.0]),
        # The last value stands for the rest.
        (types_pb2.DT_FLOAT, {"float_val": [0.5, 1.5]}, [0.5, 1.5, 1.5]),
        (types_pb2.DT_UINT8, {"int_val": [7]}, [7, 7, 7]),
    ],
)
def test_values_in_repeated_fields_are_read(
    enum: int, fields: dict[str, Any], values: list[float]
) -> None:
    np.testing.assert_array_equal(tensors.to_array(message(enum, (3,), **fields)), values)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (message(types_pb2.DT_FLOAT, (3,), float_val=[1] * 4), "needs 3 values. Received: 4"),
        (message(types_pb2.DT_FLOAT, (3,)), "needs 3 values. Received: 0"),
        (message(types_pb2.DT_UINT8, (3,), tensor_content=b"1"), "Received: 1 bytes"),
        (message(types_pb2.DT_UINT8, (-1,), tensor_content=b"1"), "without unknown sizes"),
        (message(types_pb2.DT_STRING, (1,), string_val=[b"a"]), "string are not supported"),
    ],
)
def test_a_tensor_that_does_not_add_up_is_refused(given: Any, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        tensors.to_array(given)
