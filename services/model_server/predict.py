"""Predict and GetModelMetadata: from a request to a response, the same for gRPC and REST."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager

from chexnet.adapters.tf_serving import tensors
from chexnet.adapters.tf_serving.messages import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
    tensor_pb2,
)
from services.model_server.batching import Outputs
from services.model_server.engines.base import Arrays
from services.model_server.errors import Code, ServingError, invalid
from services.model_server.lifecycle import Lifecycle
from services.model_server.signature import DEFAULT, Signature
from services.model_server.version import Served

SIGNATURE_DEF = "signature_def"


def held(lifecycle: Lifecycle, spec: model_pb2.ModelSpec) -> AbstractContextManager[Served]:
    """Return the version that `spec` means, held while the context lasts."""
    if not spec.name:
        raise invalid("ModelSpec has no name specified.")
    version = spec.version.value if spec.HasField("version") else None
    return lifecycle.serving(spec.name, version, spec.version_label)


async def predict(
    lifecycle: Lifecycle, request: predict_pb2.PredictRequest
) -> predict_pb2.PredictResponse:
    """Answer one request; raise ServingError."""
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    with held(lifecycle, request.model_spec) as served:
        served.signature.require(request.model_spec.signature_name)
        outputs = await run(served, _decoded(request.inputs), list(request.output_filter))
    response = predict_pb2.PredictResponse()
    response.model_spec.name = served.model
    response.model_spec.version.value = served.number
    response.model_spec.signature_name = DEFAULT
    for name, array in outputs.items():
        response.outputs[name].CopyFrom(tensors.to_proto(array))
    return response


async def run(served: Served, inputs: Arrays, wanted: list[str]) -> Outputs:
    """Compute the outputs `wanted`, all where none is named; raise ServingError."""
    names = _filter(wanted, served.signature)
    served.signature.check(inputs)
    outputs = await asyncio.wrap_future(served.submit(inputs))
    return {name: outputs[name] for name in names}


def _decoded(inputs: Mapping[str, tensor_pb2.TensorProto]) -> Arrays:
    try:
        return {name: tensors.to_array(tensor) for name, tensor in inputs.items()}
    except ValueError as error:
        raise invalid(f"Could not parse tensor: {error}") from error


def _filter(wanted: Iterable[str], signature: Signature) -> list[str]:
    seen: list[str] = []
    for name in wanted:
        if name not in signature.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {name} Outputs expected to be in "
                f"the set {{{','.join(sorted(signature.outputs))}}}."
            )
        if name in seen:
            raise invalid(f"duplicate output tensor alias: {name}")
        seen.append(name)
    return seen or sorted(signature.outputs)


def metadata(
    lifecycle: Lifecycle, request: get_model_metadata_pb2.GetModelMetadataRequest
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """Return the signatures of a version; raise ServingError."""
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    if not request.metadata_field:
        raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
    for field in request.metadata_field:
        if field != SIGNATURE_DEF:
            raise invalid(f"Metadata field {field} is not supported")
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    with held(lifecycle, request.model_spec) as served:
        response.model_spec.name = served.model
        response.model_spec.version.value = served.number
        response.metadata[SIGNATURE_DEF].Pack(served.signature.all)
    return response


def status(
    lifecycle: Lifecycle, request: get_model_status_pb2.GetModelStatusRequest
) -> get_model_status_pb2.GetModelStatusResponse:
    """Return the states of a model's versions, or of one; raise ServingError."""
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    spec = request.model_spec
    known = lifecycle.states.of(spec.name)
    if spec.version_label:
        labels = lifecycle.labels(spec.name)
        known = {v: s for v, s in known.items() if v == labels.get(spec.version_label)}
    if spec.HasField("version"):
        known = {v: s for v, s in known.items() if v == spec.version.value}
        if not known:
            raise ServingError(
                Code.NOT_FOUND,
                f"Could not find version {spec.version.value} of model {spec.name}",
            )
    if not known:
        raise ServingError(Code.NOT_FOUND, f"Could not find any versions of model {spec.name}")
    response = get_model_status_pb2.GetModelStatusResponse()
    for version, state in sorted(known.items(), reverse=True):
        entry = response.model_version_status.add(version=version, state=int(state.state))
        entry.status.error_code = int(state.code)
        entry.status.error_message = state.message
    return response
