"""A release and an engine of three lines, so that the server is tested without TensorFlow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chexnet.adapters.tf_serving.messages import saved_model_pb2, types_pb2
from services.model_server.batching import Limits
from services.model_server.config import ModelConfig, Models
from services.model_server.engines.base import Arrays, Engine
from services.model_server.lifecycle import Lifecycle

WIDTH = 4
UINT8, FLOAT = types_pb2.DT_UINT8, types_pb2.DT_FLOAT


def answer(scale: float, x: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """The model: `probabilities` is the mean times scale and its complement; `features` x."""
    mean = (x.mean(axis=1, keepdims=True, dtype=np.float32) * np.float32(scale)).astype(np.float32)
    return {"probabilities": np.hstack([mean, 1 - mean]), "features": x.astype(np.float32)}


def publish(folder: Path, scale: float, *, golden_scale: float | None = None) -> Path:
    """Write a release beside `folder`, then rename it there."""
    draft = folder.with_name(f".{folder.name}")
    (draft / "assets.extra").mkdir(parents=True)
    saved = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    graph = saved.meta_graphs.add()
    graph.meta_info_def.tags.append("serve")
    serve = graph.signature_def["serving_default"]
    for infos, name, enum, width in (
        (serve.inputs, "x", UINT8, WIDTH),
        (serve.outputs, "probabilities", FLOAT, 2),
        (serve.outputs, "features", FLOAT, WIDTH),
    ):
        infos[name].dtype = enum
        for size in (-1, width):
            infos[name].tensor_shape.dim.add(size=size)
    (draft / "saved_model.pb").write_bytes(saved.SerializeToString())
    (draft / "scale").write_text(str(scale))
    x = np.arange(3 * WIDTH, dtype=np.uint8).reshape(3, WIDTH)
    golden = answer(scale if golden_scale is None else golden_scale, x)
    arrays: dict[str, Any] = {"x": x, **golden}
    np.savez(draft / "assets.extra/golden.npz", **arrays)
    draft.rename(folder)
    return folder


class FakeEngine:
    """Computes `answer`. A test may hold it, and sees the batches it was given."""

    streams = 1

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self.open = threading.Event()
        self.open.set()
        self.batches: list[int] = []
        self.entered = threading.Semaphore(0)
        self.closed = False

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        assert not self.closed, "a closed engine was asked"
        x = inputs["x"]
        self.batches.append(len(x))
        self.entered.release()
        assert self.open.wait(10), "nobody opened the engine"
        return answer(self.scale, x)

    def close(self) -> None:
        self.closed = True


class FakeLoader:
    """Loads FakeEngines, and remembers them by name."""

    def __init__(self) -> None:
        self.engines: dict[str, FakeEngine] = {}
        self.before: Callable[[str], None] = lambda name: None

    def __call__(self, version: Path, name: str) -> Engine:
        self.before(name)
        engine = FakeEngine(float((version / "scale").read_text()))
        self.engines[name] = engine
        return engine


class FakeSource:
    """A configuration that a test changes."""

    def __init__(self) -> None:
        self.problem = ""
        self.next: Models | None = None

    def changed(self) -> Models | None:
        taken, self.next = self.next, None
        return taken


def model(base: Path, *versions: int, name: str = "xray", **labels: int) -> ModelConfig:
    """A config of one model: the specific versions, else the latest."""
    made = ModelConfig(name=name, base_path=str(base), model_platform="tensorflow")
    if versions:
        made.model_version_policy.specific.versions.extend(versions)
    made.version_labels.update(labels)
    return made


@contextmanager
def running(*configs: ModelConfig, limits: Limits | None = None) -> Iterator[tuple[Lifecycle, Any]]:
    """A lifecycle that polls fast, with its loader."""
    loader = FakeLoader()
    lifecycle = Lifecycle(loader, limits or Limits(), source=FakeSource(), poll_seconds=0.02)
    lifecycle.configure({c.name: c for c in configs})
    lifecycle.start()
    try:
        yield lifecycle, loader
    finally:
        for engine in loader.engines.values():
            engine.open.set()
        lifecycle.stop()
