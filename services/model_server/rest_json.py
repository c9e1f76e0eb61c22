"""TF Serving's JSON of predict requests and responses, in row and in column form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from chexnet.adapters.tf_serving import tensors
from services.model_server.errors import ServingError, invalid
from services.model_server.signature import Signature, TensorSpec

Form = Literal["row", "column"]
Arrays = dict[str, NDArray[Any]]


def parse(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a request; raise ServingError."""
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise invalid(f"JSON Parse error: {error}") from error
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {_short(document)} Is not object")
    if not isinstance(document.get("signature_name", ""), str):
        raise invalid(
            f"JSON Value: {_short(document)} not formatted correctly. "
            "'signature_name' key must be a string value."
        )
    return document


def inputs(document: dict[str, Any], signature: Signature) -> tuple[Arrays, Form]:
    """Return the arrays that a request holds, and the form that its answer has too.

    Raises:
        ServingError: in TF Serving's words.
    """
    if "instances" in document and "inputs" in document:
        raise invalid(
            f"JSON Value: {_short(document)} Not formatted correctly expecting only one of "
            "'inputs' or 'instances' keys to exist "
        )
    if "instances" in document:
        return _rows(document["instances"], document, signature), "row"
    if "inputs" in document:
        return _columns(document["inputs"], signature), "column"
    raise invalid("Missing 'inputs' or 'instances' key")


def _rows(instances: Any, document: dict[str, Any], signature: Signature) -> Arrays:
    if not isinstance(instances, list):
        raise invalid(f"JSON Value: {_short(document)} Expecting 'instances' to be an list/array")
    if not instances:
        raise invalid(f"JSON Value: {_short(document)} No values in 'instances' array")
    specs = signature.inputs
    if not isinstance(instances[0], dict):
        if len(specs) > 1:
            raise invalid(
                "instances is a plain list, but expecting list of objects as multiple "
                "input tensors required as per tensorinfo_map"
            )
        for at, item in enumerate(instances):
            if isinstance(item, dict):
                raise invalid(f"Expecting value/list but got object at item {at} of input list")
        (name, spec) = next(iter(specs.items()))
        return {name: _array(instances, spec)}
    for at, item in enumerate(instances):
        if not isinstance(item, dict):
            raise invalid(f"Expecting object but got list at item {at} of input list")
        if set(item) != set(specs):
            raise invalid(
                f"Failed to process element: {at} of 'instances' list. JSON object: "
                f"{_short(item)} keys must be equal to: {','.join(sorted(specs))}"
            )
    return {name: _array([item[name] for item in instances], s) for name, s in specs.items()}


def _columns(values: Any, signature: Signature) -> Arrays:
    specs = signature.inputs
    if not isinstance(values, dict):
        if len(specs) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple "
                "input tensors required as per tensorinfo_map"
            )
        (name, spec) = next(iter(specs.items()))
        return {name: _array(values, spec)}
    for name in specs:
        if name not in values:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
    return {name: _array(values[name], spec) for name, spec in specs.items()}


def _array(values: Any, spec: TensorSpec) -> NDArray[Any]:
    wanted = tensors.dtype(spec.enum)
    try:
        array = np.array(values)
    except ValueError as error:  # Ragged.
        raise invalid(f"Encountered list at unexpected size: {error}") from error
    allowed = {"f": "fiu", "i": "iu", "u": "iu", "b": "b"}[wanted.kind]
    if array.dtype.kind not in allowed and array.size:
        raise _unexpected(array, wanted, spec)
    if wanted.kind in "iu" and array.size:
        bounds = np.iinfo(wanted)
        if array.min() < bounds.min or array.max() > bounds.max:
            raise _unexpected(array, wanted, spec)
    return array.astype(wanted)


def _unexpected(array: NDArray[Any], wanted: np.dtype[Any], spec: TensorSpec) -> ServingError:
    """Name the first value that does not fit."""
    flat = array.ravel()
    bad = flat[0]
    if wanted.kind in "iu" and array.dtype.kind in "fiu":
        bounds = np.iinfo(wanted)
        fits = (flat == np.floor(flat)) & (flat >= bounds.min) & (flat <= bounds.max)
        bad = flat[int(np.argmin(fits))]
    kind = {"U": "String", "O": "Object", "b": "Bool"}.get(array.dtype.kind, "Number")
    return invalid(
        f"JSON Value: {_short(bad.item() if hasattr(bad, 'item') else bad)} Type: {kind} "
        f"is not of expected type: {tensors.name(spec.enum)}"
    )


def outputs(arrays: Mapping[str, NDArray[Any]], form: Form) -> bytes:
    """Return the body of an answer."""
    values = {name: _shortest(array) for name, array in sorted(arrays.items())}
    answer: Any
    if form == "row":
        rows = zip(*(array.tolist() for array in values.values()), strict=True)
        if len(values) > 1:
            answer = {"predictions": [dict(zip(values, row, strict=True)) for row in rows]}
        else:
            answer = {"predictions": [row[0] for row in rows]}
    elif len(values) > 1:
        answer = {"outputs": {name: array.tolist() for name, array in values.items()}}
    else:
        answer = {"outputs": next(iter(values.values())).tolist()}
    return json.dumps(answer).encode()


def _shortest(array: NDArray[Any]) -> NDArray[Any]:
    """Let float32 be written with as few digits as tell it apart: 0.1, not 0.10000000149."""
    return array.astype(str).astype(np.float64) if array.dtype == np.float32 else array


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 80 else text[:80] + " <...truncated>"
