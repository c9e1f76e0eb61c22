"""Pachyderm's datum batching: a transform asks for its next datum, and says how the last one went.

The SDK's `batch_all_datums` and chexnet/adapters/pachyderm/batching.py are its clients.
"""

from __future__ import annotations

import queue
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import grpc
from pachyderm_sdk.api import worker

METHOD = "/pachyderm.worker.Worker/NextDatum"
_OVER: dict[str, str] = {}  # Instead of an environment: no datum will come.


class NextDatum(grpc.GenericRpcHandler):  # type: ignore[misc]
    """The server of one transform's process."""

    def __init__(self) -> None:
        self._asked: queue.Queue[str | int] = queue.Queue()
        self._given: queue.Queue[Mapping[str, str]] = queue.Queue()
        self._server = grpc.server(ThreadPoolExecutor(2), handlers=[self])
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def asked(self, timeout: float | None) -> str | int:
        """Return the error of the datum before, empty if it went well; or the exit code.

        Raises:
            queue.Empty: neither came within `timeout` seconds.
        """
        return self._asked.get(timeout=timeout)

    def give(self, environment: Mapping[str, str]) -> None:
        """Let the process go on with the datum of this environment."""
        self._given.put(environment)

    def end(self, code: int) -> None:
        """Tell that the process has ended; it is the last thing that happens here."""
        self._asked.put(code)
        self._given.put(_OVER)
        self._server.stop(None)

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """Return what answers a request."""
        if details.method != METHOD:
            return None
        return grpc.unary_unary_rpc_method_handler(
            self._next,
            request_deserializer=worker.NextDatumRequest.FromString,
            response_serializer=bytes,
        )

    def _next(
        self, request: worker.NextDatumRequest, context: grpc.ServicerContext
    ) -> worker.NextDatumResponse:
        self._asked.put(request.error)
        environment = self._given.get()
        if environment is _OVER:
            context.abort(grpc.StatusCode.CANCELLED, "the worker has ended")
        return worker.NextDatumResponse(env=[f"{k}={v}" for k, v in environment.items()])
