"""One replica of TF Serving, over gRPC: its errors become ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray

from chexnet.adapters import tls
from chexnet.adapters.tf_serving import tensors
from chexnet.adapters.tf_serving.messages import (
    CHANNEL_OPTIONS,
    get_model_status_pb2,
    model_management_pb2,
    model_pb2,
    model_server_config_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from chexnet.errors import ChexnetError, NotFound, Refused, Unavailable
from chexnet.models.base import INPUT

_DOWN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
# A replica that comes back is found within half a second, not after gRPC's two minutes.
_OPTIONS = [
    *CHANNEL_OPTIONS,
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
]


class Status:
    """What a replica says of one version."""

    def __init__(self, state: str, message: str) -> None:
        self.state = state
        self.message = message  # Why it failed to load; "" where it did not.


class Replica:
    """One address. Channels are lazy: a replica that is down is told by the first call."""

    def __init__(self, address: str, ca_file: Path | None = None) -> None:
        self.address = address
        self._channel = tls.channel(address, ca_file, _OPTIONS)
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def predict(
        self, model: str, version: int, x: NDArray[Any], timeout: float
    ) -> dict[str, NDArray[np.float32]]:
        """Return the outputs for the batch `x`; raise NotFound, Unavailable."""
        request = predict_pb2.PredictRequest(model_spec=_spec(model, version))
        request.inputs[INPUT].CopyFrom(tensors.to_proto(x))
        try:
            response = self._predictions.Predict(request, timeout=timeout)
        except grpc.RpcError as error:
            raise self._translated(error, f"{model} version {version}") from error
        return {name: tensors.to_array(tensor) for name, tensor in response.outputs.items()}

    def states(self, model: str, timeout: float) -> dict[int, Status]:
        """Return version → status; {} where it has none of this model. Raise Unavailable."""
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=_spec(model))
        try:
            response = self._models.GetModelStatus(request, timeout=timeout)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                return {}
            raise self._translated(error, model) from error
        states = get_model_status_pb2.ModelVersionStatus.State
        return {
            entry.version: Status(states.Name(entry.state), entry.status.error_message)
            for entry in response.model_version_status
        }

    def reload(self, config: model_server_config_pb2.ModelServerConfig, timeout: float) -> None:
        """Replace its model config; raise Refused where it does not take it, Unavailable."""
        request = model_management_pb2.ReloadConfigRequest(config=config)
        try:
            self._models.HandleReloadConfigRequest(request, timeout=timeout)
        except grpc.RpcError as error:
            raise self._translated(error, "the model config") from error

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()

    def _translated(self, error: grpc.RpcError, what: str) -> ChexnetError:
        code, said = error.code(), error.details()
        if code in _DOWN:
            todo = "Nothing is lost. Start it with: make up"
            return Unavailable(f"Waiting for TF Serving at {self.address}: {said}. {todo}")
        if code == grpc.StatusCode.NOT_FOUND:
            rule = f"{self.address} must serve {what}."
            return NotFound(f"{rule} Received: {said}. See what it serves: chexnet status serving")
        rule = f"{self.address} must accept {what}."
        todo = "See why in its log; chexnet status serving shows what it serves."
        return Refused(f"{rule} Received: {code.name}: {said}. {todo}")


def _spec(model: str, version: int | None = None) -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=model)
    if version is not None:
        spec.version.value = version
    return spec
