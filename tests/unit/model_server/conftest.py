"""A model server of fakes in this process, asked over gRPC and REST."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from starlette.testclient import TestClient

from chexnet.adapters.tf_serving.messages import (
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)
from services.model_server import grpc_api, rest
from services.model_server.metrics import Metrics
from services.model_server.states import State
from tests.unit.model_server.fakes import FakeSource, model, publish, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Versions 1 (x 0.1, label `champion`) and 2 (x 0.2) of `xray`."""
    root = tmp_path_factory.mktemp("models")
    base: Path = root / "xray"
    base.mkdir()
    publish(base / "1", 0.1)
    publish(base / "2", 0.2)
    config = model(base, 1, 2, champion=1)
    with running(config) as (lifecycle, loader):

        def ready() -> bool:
            states = lifecycle.states.of("xray").values()
            return [s.state for s in states] == [State.AVAILABLE] * 2

        assert lifecycle.states.wait_for(ready, 10)
        metrics = Metrics(lifecycle.states.summary)
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()

        async def start() -> tuple[Any, int]:
            made = grpc_api.server(lifecycle, metrics, root)
            port = made.add_insecure_port("127.0.0.1:0")
            await made.start()
            return made, port

        made, port = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
        source = FakeSource()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield SimpleNamespace(
                base=base,
                config=config,
                lifecycle=lifecycle,
                loader=loader,
                predictions=prediction_service_pb2_grpc.PredictionServiceStub(channel),
                models=model_service_pb2_grpc.ModelServiceStub(channel),
                source=source,
                rest=TestClient(rest.app(lifecycle, metrics, source)),
            )
        asyncio.run_coroutine_threadsafe(made.stop(0), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
