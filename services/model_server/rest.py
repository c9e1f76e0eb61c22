"""TF Serving's REST API: status, metadata and predict, by version and by label; and metrics."""

from __future__ import annotations

import json
import logging
import re

from google.protobuf import json_format
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from chexnet.adapters.tf_serving.messages import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
)
from services.model_server import predict, rest_json
from services.model_server.config import Source
from services.model_server.errors import Code, ServingError, invalid, unimplemented
from services.model_server.lifecycle import Lifecycle
from services.model_server.metrics import Metrics

log = logging.getLogger(__name__)

_OF = r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?"
_CALL = re.compile(_OF + r":(classify|regress|predict)", re.IGNORECASE)
_LOOK = re.compile(_OF + r"(?:/(metadata))?", re.IGNORECASE)


class Rest:
    """The endpoints, as methods of what they need."""

    def __init__(self, lifecycle: Lifecycle, metrics: Metrics, source: Source) -> None:
        self._lifecycle, self._metrics, self._source = lifecycle, metrics, source

    async def models(self, request: Request) -> Response:
        """Answer everything below /v1; an error is `{"error": …}` with TF Serving's status."""
        try:
            body = await self._answer(request)
        except ServingError as error:
            return JSONResponse({"error": str(error)}, error.code.http)
        except Exception as error:
            log.exception("request failed")
            return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 500)
        return Response(body, media_type="application/json")

    async def _answer(self, request: Request) -> bytes:
        path = request.url.path
        if request.method == "POST" and (call := _CALL.fullmatch(path)):
            spec = _spec(call)
            if (method := call.group(4).lower()) != "predict":
                raise unimplemented(method)
            with self._metrics.request(spec.name, "Predict", "REST"):
                return await self._predict(spec, await request.body())
        if request.method == "GET" and (look := _LOOK.fullmatch(path)):
            spec = _spec(look)
            return self._metadata(spec) if look.group(4) else self._status(spec)
        raise invalid(f"Malformed request: {request.method} {path}")

    async def _predict(self, spec: model_pb2.ModelSpec, body: bytes) -> bytes:
        # Parsing takes as long as a small model does: not on the thread of all requests.
        document = await run_in_threadpool(rest_json.parse, body)
        with predict.held(self._lifecycle, spec) as served:
            name = document.get("signature_name", "")
            try:
                served.signature.require(name)
            except ServingError as error:
                raise invalid(
                    f'Serving signature name: "{name}" not found in signature def'
                ) from error
            arrays, form = await run_in_threadpool(rest_json.inputs, document, served.signature)
            outputs = await predict.run(served, arrays, [])
        return await run_in_threadpool(rest_json.outputs, outputs, form)

    def _status(self, spec: model_pb2.ModelSpec) -> bytes:
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=spec)
        return json_format.MessageToJson(
            predict.status(self._lifecycle, request),
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        ).encode()

    def _metadata(self, spec: model_pb2.ModelSpec) -> bytes:
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=spec, metadata_field=[predict.SIGNATURE_DEF]
        )
        response = predict.metadata(self._lifecycle, request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata[predict.SIGNATURE_DEF].Unpack(signatures)
        as_dict = json_format.MessageToDict
        answer = {
            "model_spec": as_dict(response.model_spec, preserving_proto_field_name=True),
            "metadata": {
                predict.SIGNATURE_DEF: as_dict(
                    signatures,
                    preserving_proto_field_name=True,
                    always_print_fields_with_no_presence=True,
                )
            },
        }
        return json.dumps(answer).encode()

    async def metrics(self, _: Request) -> Response:
        """Answer Prometheus."""
        return PlainTextResponse(self._metrics.page(), media_type="text/plain; version=0.0.4")

    async def health(self, _: Request) -> Response:
        """Answer the supervisor: a version that failed is told, and does not make it ill."""
        failed = [
            f"{model} version {version}: {status.message}"
            for model in self._lifecycle.models()
            for version, status in self._lifecycle.states.of(model).items()
            if status.code != Code.OK
        ]
        state = "failed" if self._source.problem else "ok"
        reason = self._source.problem or "; ".join(failed)
        answer = {"service": "model_server", "state": state, "reason": reason}
        return JSONResponse(answer, 503 if self._source.problem else 200)


def _spec(match: re.Match[str]) -> model_pb2.ModelSpec:
    name, version, label, _ = match.groups()
    spec = model_pb2.ModelSpec(name=name)
    if version is not None:
        if int(version) >= 2**63:
            raise invalid(f"Failed to convert version: {version} to numeric.")
        spec.version.value = int(version)
    elif label is not None:
        spec.version_label = label
    return spec


def app(lifecycle: Lifecycle, metrics: Metrics, source: Source) -> Starlette:
    """Return the ASGI application."""
    rest = Rest(lifecycle, metrics, source)
    return Starlette(
        routes=[
            Route("/monitoring/prometheus/metrics", rest.metrics),
            Route("/metrics", rest.metrics),
            Route("/healthz", rest.health),
            Route("/v1/{path:path}", rest.models, methods=["GET", "POST"]),
        ]
    )
