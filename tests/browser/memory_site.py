"""For the notebooks of the memory tests: a pipeline in one process, running by itself."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chexnet import topics
from chexnet.errors import BadInput
from chexnet.inputs.base import Limits
from chexnet.inputs.chest_xray import ChestXray
from chexnet.messages import Message
from chexnet.ui import Lineage, Operations, Shared, Training, Workspace
from tests.unit.ui.deciding import a_run, a_world, answer, wiring_of
from tests.unit.ui.stack import Pipeline

CELLS = 14  # Of a heat map's side: 16 pixels of 224 each.
Maps = Callable[[Message], NDArray[np.floating]]


def workspace() -> Workspace:
    """Return a workspace of the second pipeline, which checks and predicts what is uploaded."""
    return _workspace(Pipeline())


def shared() -> Shared:
    """Return a page that asks who reads, and has the same workspace for each."""
    return Shared(lambda reader: _workspace(Pipeline(), reader=reader))


def films() -> Workspace:
    """Return a workspace of X-rays, whose heat maps show where an image is bright."""
    source = ChestXray()

    def bright(upload: Message) -> NDArray[np.floating]:
        seen = source.decode(upload.value, Limits())[..., 0].astype(float)
        blocks = seen.reshape(CELLS, 16, CELLS, 16).mean(axis=(1, 3))
        return np.repeat((blocks - np.median(blocks))[None], len(source.labels), axis=0)

    return _workspace(Pipeline(source), bright)


def operations() -> Operations:
    """Return the operations page of a pipeline whose experiment has found that b is better."""
    world = a_world(Path(tempfile.mkdtemp()))
    rng = np.random.default_rng(4)
    for n, minutes in enumerate(rng.integers(2, 58, 400).tolist()):
        answer(world, f"now{n}", "b" if minutes < 25 and n % 3 == 0 else "champion", minutes)
    return Operations(wiring=wiring_of(world))


def training() -> Training:
    """Return the training page of a pipeline whose line b trains."""
    world = a_world(Path(tempfile.mkdtemp()))
    a_run(world, "a", [0.6, 0.5, 0.45, 0.43], [0.61, 0.7, 0.74, 0.75])
    a_run(world, "b", [0.58, 0.42, 0.33, 0.3], [0.66, 0.81, 0.88, 0.9])
    return Training(wiring=wiring_of(world))


def lineage() -> Lineage:
    """Return the lineage page of a pipeline with two versions."""
    return Lineage(wiring=wiring_of(a_world(Path(tempfile.mkdtemp()))))


def _workspace(pipeline: Pipeline, maps: Maps | None = None, reader: str = "ada") -> Workspace:
    threading.Thread(target=_run, args=(pipeline, maps), daemon=True).start()
    return Workspace(wiring=pipeline.wiring(), reader=reader)


def _run(pipeline: Pipeline, maps: Maps | None) -> None:
    uploads = pipeline.bus.read([topics.UPLOADS])
    while True:
        for upload in uploads.poll(timeout=60):
            try:
                pipeline.check(upload)
                pipeline.predict(upload, maps=maps(upload) if maps else None)
            except BadInput as error:
                pipeline.reject(upload, str(error))
