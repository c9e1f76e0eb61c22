"""The signatures of a SavedModel, read from its file without any engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from msgspec import Struct
from numpy.typing import NDArray

from chexnet.adapters.tf_serving import tensors
from chexnet.adapters.tf_serving.messages import get_model_metadata_pb2, saved_model_pb2
from services.model_server.errors import Code, ServingError, invalid, no_signature, wrong_inputs

DEFAULT = "serving_default"
FILE = "saved_model.pb"

Arrays = Mapping[str, NDArray[Any]]


class TensorSpec(Struct, frozen=True):
    """One input or output. Sizes of -1 are free."""

    enum: int  # TensorFlow's type.
    shape: tuple[int, ...] | None  # None: of any rank.

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Return whether an array of `shape` may be fed."""
        if self.shape is None:
            return True
        return len(shape) == len(self.shape) and all(
            want in (-1, size) for want, size in zip(self.shape, shape, strict=True)
        )


class Signature(Struct, frozen=True):
    """The default signature, and all of them as GetModelMetadata gives them."""

    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]
    all: get_model_metadata_pb2.SignatureDefMap

    @property
    def batchable(self) -> bool:
        """Whether rows of several requests may be computed together."""
        specs = (*self.inputs.values(), *self.outputs.values())
        return all(spec.shape and spec.shape[0] == -1 for spec in specs)

    def require(self, name: str) -> None:
        """Raise ServingError unless `name` is the served signature ('' is the default)."""
        if (name or DEFAULT) != DEFAULT:
            raise no_signature(name)

    def check(self, arrays: Arrays) -> None:
        """Raise ServingError, INVALID_ARGUMENT, unless `arrays` may be fed."""
        if set(arrays) != set(self.inputs):
            raise wrong_inputs(arrays, self.inputs)
        rows = set()
        for index, (name, spec) in enumerate(sorted(self.inputs.items())):
            array = arrays[name]
            if array.dtype != tensors.dtype(spec.enum):
                wanted, got = tensors.name(spec.enum), tensors.name(tensors.enum(array.dtype))
                raise invalid(f"Expects arg[{index}] to be {wanted} but {got} is provided")
            if not spec.accepts(array.shape):
                raise invalid(
                    f"Incompatible shapes: input {name} must have the shape "
                    f"{_text(spec.shape or ())}. Received: {_text(array.shape)}"
                )
            rows.add(array.shape[:1])
        if self.batchable and (len(rows) > 1 or rows == {(0,)}):
            received = sorted(shape[0] for shape in rows)
            raise invalid(
                "Batching requires inputs of the same size, above 0, in their 0th dimension. "
                f"Received: {received}"
            )


def _text(shape: tuple[int, ...]) -> str:
    return f"[{','.join('?' if size < 0 else str(size) for size in shape)}]"


def read(version: Path) -> Signature:
    """Return the signatures of the SavedModel in the folder `version`.

    Raises:
        ServingError: there is none that can be read, in TensorFlow's words.
    """
    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString((version / FILE).read_bytes())
    except FileNotFoundError as error:
        raise ServingError(
            Code.NOT_FOUND,
            f"Could not find SavedModel .pb or .pbtxt at supplied export path: {version}",
        ) from error
    except DecodeError as error:
        raise ServingError(
            Code.INVALID_ARGUMENT, f"Can't parse {version / FILE} as binary proto"
        ) from error
    graph = next((g for g in saved.meta_graphs if "serve" in g.meta_info_def.tags), None)
    if graph is None or DEFAULT not in graph.signature_def:
        raise ServingError(
            Code.NOT_FOUND,
            f"Could not find meta graph def matching supplied tags: {{ serve }} with a signature "
            f"{DEFAULT} in {version}",
        )
    every = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in graph.signature_def.items():
        every.signature_def[name].CopyFrom(definition)
    served = graph.signature_def[DEFAULT]
    return Signature(_specs(served.inputs), _specs(served.outputs), every)


def _specs(infos: Mapping[str, Any]) -> dict[str, TensorSpec]:
    specs = {}
    for name, info in infos.items():
        shape = None
        if not info.tensor_shape.unknown_rank:
            shape = tuple(dim.size for dim in info.tensor_shape.dim)
        specs[name] = TensorSpec(info.dtype, shape)
    return specs
