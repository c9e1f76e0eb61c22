"""For the notebook of the memory tests: the second pipeline in one process, running by itself."""

from __future__ import annotations

import threading

from chexnet import topics
from chexnet.errors import BadInput
from chexnet.ui import Workspace
from tests.unit.ui.stack import Pipeline


def workspace() -> Workspace:
    """Return a workspace whose pipeline checks and predicts what is uploaded."""
    pipeline = Pipeline()
    threading.Thread(target=_run, args=(pipeline,), daemon=True).start()
    return Workspace(wiring=pipeline.wiring(largest=40 * 2**20), reader="ada")


def _run(pipeline: Pipeline) -> None:
    uploads = pipeline.bus.read([topics.UPLOADS])
    while True:
        for upload in uploads.poll(timeout=60):
            try:
                pipeline.check(upload)
                pipeline.predict(upload)
            except BadInput as error:
                pipeline.reject(upload, str(error))
