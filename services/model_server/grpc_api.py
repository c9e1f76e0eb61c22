"""TF Serving's gRPC services. Each method: the request's fault is told by code, none is hidden."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn, TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message

from chexnet.adapters.tf_serving.messages import (
    CHANNEL_OPTIONS,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from services.model_server import config, predict
from services.model_server.errors import Code, ServingError, unimplemented
from services.model_server.lifecycle import Lifecycle
from services.model_server.metrics import Metrics

log = logging.getLogger(__name__)

Context: TypeAlias = grpc.aio.ServicerContext
Response = TypeVar("Response")
_STATUS = {code.value[0]: code for code in grpc.StatusCode}


async def _answer(context: Context, answer: Callable[[], Awaitable[Response]]) -> Response:
    """Return the answer, or end the call with the error's code and words."""
    try:
        return await answer()
    except ServingError as error:
        await context.abort(_STATUS[error.code], str(error))
    except Exception as error:
        log.exception("request failed")
        await context.abort(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")
    raise AssertionError("abort raises")


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):  # type: ignore[misc]
    """Predict and GetModelMetadata."""

    def __init__(self, lifecycle: Lifecycle, metrics: Metrics) -> None:
        self._lifecycle, self._metrics = lifecycle, metrics

    async def Predict(  # noqa: N802
        self, request: predict_pb2.PredictRequest, context: Context
    ) -> predict_pb2.PredictResponse:
        """Run the model on one batch."""

        async def answer() -> predict_pb2.PredictResponse:
            with self._metrics.request(request.model_spec.name, "Predict", "GRPC"):
                return await predict.predict(self._lifecycle, request)

        return await _answer(context, answer)

    async def GetModelMetadata(  # noqa: N802
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: Context
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Return the signatures."""

        async def answer() -> get_model_metadata_pb2.GetModelMetadataResponse:
            with self._metrics.request(request.model_spec.name, "GetModelMetadata", "GRPC"):
                return predict.metadata(self._lifecycle, request)

        return await _answer(context, answer)

    async def Classify(self, _: Message, context: Context) -> NoReturn:  # noqa: N802
        """Refuse: releases have no classification signature."""
        await _refuse(context, "Classify")

    async def Regress(self, _: Message, context: Context) -> NoReturn:  # noqa: N802
        """Refuse: releases have no regression signature."""
        await _refuse(context, "Regress")

    async def MultiInference(self, _: Message, context: Context) -> NoReturn:  # noqa: N802
        """Refuse, as Classify does."""
        await _refuse(context, "MultiInference")


class ModelService(model_service_pb2_grpc.ModelServiceServicer):  # type: ignore[misc]
    """GetModelStatus and HandleReloadConfigRequest."""

    def __init__(self, lifecycle: Lifecycle, root: Path) -> None:
        self._lifecycle, self._root = lifecycle, root

    async def GetModelStatus(  # noqa: N802
        self, request: get_model_status_pb2.GetModelStatusRequest, context: Context
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Return the states of versions."""

        async def answer() -> get_model_status_pb2.GetModelStatusResponse:
            return predict.status(self._lifecycle, request)

        return await _answer(context, answer)

    async def HandleReloadConfigRequest(  # noqa: N802
        self, request: model_management_pb2.ReloadConfigRequest, context: Context
    ) -> model_management_pb2.ReloadConfigResponse:
        """Replace the config; return when each new model answers, or say why it does not."""

        async def answer() -> model_management_pb2.ReloadConfigResponse:
            models = config.models_of(request.config, self._root)
            if request.config.WhichOneof("config") is not None:  # TF Serving ignores an empty one.
                new = await asyncio.to_thread(self._lifecycle.reload, models)
                await asyncio.to_thread(self._lifecycle.wait_until_decided, new)
            response = model_management_pb2.ReloadConfigResponse()
            response.status.error_code = int(Code.OK)
            return response

        return await _answer(context, answer)


async def _refuse(context: Context, what: str) -> NoReturn:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, str(unimplemented(what)))
    raise AssertionError("abort raises")


def server(lifecycle: Lifecycle, metrics: Metrics, root: Path) -> Any:
    """Return a grpc.aio server with both services, not yet listening."""
    made = grpc.aio.server(options=[*CHANNEL_OPTIONS, ("grpc.so_reuseport", 0)])
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(lifecycle, metrics), made
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(lifecycle, root), made)
    return made
