"""gRPC with the SDK's own messages: a service is a table of its methods."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

import betterproto
import grpc
from grpc import _server

from services.version_store.database import Database
from services.version_store.errors import StoreError, unimplemented

MESSAGE = 20 * 2**20
TOLD = 0.001  # Seconds between two looks at whether an event has come.
_LOG = logging.getLogger("version_store")


@dataclass(frozen=True)
class Call:
    """What a method knows of its caller."""

    context: grpc.ServicerContext
    database: Database

    @property
    def transaction(self) -> str:
        """The transaction that the caller is in; empty if in none."""
        return next(
            (v for k, v in self.context.invocation_metadata() if k == "pach-transaction"), ""
        )

    def going_on(self) -> bool:
        """Say whether the caller still waits."""
        return bool(self.context.is_active())

    def whole(self) -> bool:
        """Say whether a stream of requests ended because the caller was done.

        gRPC's server in Python ends the stream in the same way for a caller that hung up, and
        says so a moment later, however long that takes: by an event that lies in its queue before
        the answer to whatever is asked from now on. So something is asked, and awaited.
        """
        with suppress(grpc.RpcError, ValueError):  # It is known already that the caller is gone.
            self.context.send_initial_metadata(())
        state = self.context._state
        with state.condition:
            while _server._SEND_INITIAL_METADATA_TOKEN in state.due:
                state.condition.wait(TOLD)  # gRPC tells nobody of this event's end.
            return bool(state.client is not _server._CANCELLED)


@dataclass(frozen=True)
class Method:
    """One method: its request's type, and what answers it with one message or many.

    Args:
        requests: the caller sends a stream of them.
        responses: the caller gets a stream.
        parse: makes the request from its bytes, where the SDK's way is too slow.
    """

    request: Any  # A message of the SDK, or what `parse` makes.
    answer: Callable[[Any, Call], Any]
    requests: bool = False
    responses: bool = False
    parse: Callable[[bytes], Any] | None = None


class Services(grpc.GenericRpcHandler):  # type: ignore[misc]
    """All services of a server: full path, e.g. `/pfs_v2.API/ListRepo`, → method."""

    def __init__(self, methods: Mapping[str, Method], database: Database) -> None:
        self._methods, self._database = methods, database

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """Return what handles a call."""
        method = self._methods.get(details.method)
        if method is None:
            return _refusing(details.method)
        made = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
        }[method.requests, method.responses]
        run = self._many if method.responses else self._one
        return made(
            lambda request, context: run(details.method, method, request, context),
            request_deserializer=method.parse or method.request.FromString,
            response_serializer=bytes,
        )

    def _call(self, context: grpc.ServicerContext) -> Call:
        context.add_callback(self._database.wake)  # A caller that hangs up ends its waiting.
        return Call(context, self._database)

    def _one(
        self, path: str, method: Method, request: object, context: grpc.ServicerContext
    ) -> betterproto.Message | bytes:
        try:
            made: betterproto.Message | bytes = method.answer(request, self._call(context))
        except Exception as error:
            _fail(context, path, error)
        return made

    def _many(
        self, path: str, method: Method, request: object, context: grpc.ServicerContext
    ) -> Iterator[betterproto.Message | bytes]:
        try:
            answers: Iterable[betterproto.Message | bytes] = method.answer(
                request, self._call(context)
            )
            yield from answers
        except Exception as error:
            _fail(context, path, error)


def _fail(context: grpc.ServicerContext, path: str, error: Exception) -> NoReturn:
    """End a call with the error's code and text."""
    if isinstance(error, StoreError):
        context.abort(error.code, str(error))
    if isinstance(error, (OSError, sqlite3.OperationalError)):
        _LOG.error("storage failed", extra={"fields": {"method": path, "reason": str(error)}})
        context.abort(grpc.StatusCode.UNAVAILABLE, f"the version store's disk failed: {error}")
    if context.is_active():
        _LOG.error("bug", exc_info=error, extra={"fields": {"method": path}})
    context.abort(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")
    raise AssertionError("abort raises")


def _refusing(path: str) -> grpc.RpcMethodHandler:
    def refuse(_: object, context: grpc.ServicerContext) -> NoReturn:
        if path.startswith("/auth_v2."):  # The words by which the SDK knows an open cluster.
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "the auth service is not activated")
        _fail(context, path, unimplemented(path))

    return grpc.stream_stream_rpc_method_handler(refuse)
