"""OpenVINO: reads the frozen SavedModel directly. The default on CPUs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

if "openvino" not in sys.modules:
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # Its stub sends nothing.
import openvino as ov


class OpenVino:
    """One compiled model with `streams` requests to run it.

    The cache of a version is its own and goes with it: what is read back can only be what this
    version compiled.
    """

    def __init__(self, version: Path, *, threads: int, streams: int, cache: Path | None) -> None:
        self.streams = streams
        self._cache = cache
        core = ov.Core()
        options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "f32",  # Else bfloat16 where the CPU has it: 5e-4 off.
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # Each version would be pinned to the same cores.
            "NUM_STREAMS": str(streams),
            "INFERENCE_NUM_THREADS": threads,
        }
        if cache is not None:
            core.set_property({"CACHE_DIR": str(cache)})
        try:
            self._model = core.compile_model(core.read_model(version), "CPU", options)
            self._outputs = {_alias(port): index for index, port in enumerate(self._model.outputs)}
            self._free: SimpleQueue[Any] = SimpleQueue()
            for _ in range(streams):
                self._free.put(self._model.create_infer_request())
        except Exception:
            self.close()
            raise

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return the outputs, copied: a request's buffers are used again."""
        request = self._free.get()
        try:
            request.infer({name: np.ascontiguousarray(x) for name, x in inputs.items()}, True)
            return {
                name: request.get_output_tensor(index).data.copy()
                for name, index in self._outputs.items()
            }
        finally:
            self._free.put(request)

    def close(self) -> None:
        """Drop the model, and what was compiled for it."""
        self._free = SimpleQueue()
        self._model = None
        if self._cache is not None:
            shutil.rmtree(self._cache, ignore_errors=True)


def _alias(port: Any) -> str:
    """Return the signature's name of an output: the one that is not a tensor's, `node:0`."""
    names: set[str] = port.get_names()
    return min(names, key=lambda name: (":" in name, "/" in name, len(name), name))
