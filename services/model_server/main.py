"""model_server: what TF Serving's clients ask for, answered by OpenVINO or TensorFlow."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import uvicorn

from chexnet.adapters import tls
from chexnet.errors import ConfigError
from chexnet.runtime import logs
from services.model_server import grpc_api, rest
from services.model_server.batching import Limits
from services.model_server.config import File, Folders, Source
from services.model_server.engines import choose
from services.model_server.lifecycle import Lifecycle
from services.model_server.metrics import Metrics
from services.model_server.settings import ModelServerSettings


class _Http(uvicorn.Server):
    """uvicorn without its signal handlers: one place decides when to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(settings: ModelServerSettings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; what is being answered then is finished."""
    log = logs.setup("model_server")
    source: Source = Folders(settings.models)
    if settings.config_file is not None:
        source = File(settings.config_file, settings.models)
    limits = Limits(rows=settings.max_batch, timeout=settings.batch_timeout, queue=settings.queue)
    lifecycle = Lifecycle(
        choose.loader(settings), limits, source=source, poll_seconds=settings.poll_seconds
    )
    metrics = Metrics(lifecycle.states.summary)

    own = tls.Own.of(settings.certificate_file, settings.key_file)
    server = grpc_api.server(lifecycle, metrics, settings.models)
    port = _bind(server, settings.grpc, own)
    http = _Http(
        uvicorn.Config(
            rest.app(lifecycle, metrics, source),
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=int(settings.grace),
            ssl_certfile=own.certificate if own else None,
            ssl_keyfile=own.key if own else None,
        )
    )
    listening = _listen(settings.rest)
    lifecycle.start()
    await server.start()
    answering = asyncio.create_task(http.serve(sockets=[listening]))
    log.info(
        "listening",
        extra={"fields": {"grpc": port, "rest": listening.getsockname()[1], "pid": os.getpid()}},
    )
    await stop.wait()
    log.info("stopping")
    http.should_exit = True
    await asyncio.gather(server.stop(settings.grace), answering)
    await asyncio.to_thread(lifecycle.stop)


def _bind(server: grpc.aio.Server, address: str, own: tls.Own | None) -> int:
    try:
        return tls.bind(server, address, own)
    except RuntimeError as error:
        raise _taken("GRPC", address, str(error)) from error


def _listen(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    try:
        return socket.create_server((host, int(port)), backlog=128)
    except (OSError, ValueError) as error:
        raise _taken("REST", address, str(error)) from error


def _taken(name: str, address: str, why: str) -> ConfigError:
    rule = f"CHEXNET_MODEL_SERVER__{name} must be a free host:port. Received: {address} ({why})."
    return ConfigError(f"{rule} Choose another in the inventory: tf_serving_{name.lower()}_port")


async def _main() -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(ModelServerSettings(), stop)
    return 0


def main() -> int:
    """Run until SIGTERM."""
    try:
        return asyncio.run(_main())
    except ConfigError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    raise SystemExit(main())
