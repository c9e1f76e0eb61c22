"""One version in memory: its signature, its engine, and how many requests it is answering."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from pathlib import Path

from chexnet.adapters.tf_serving import golden
from chexnet.errors import NotFound
from chexnet.models.base import INPUT
from services.model_server import signature
from services.model_server.batching import Batcher, Limits, Outputs
from services.model_server.engines.base import Arrays, Loader


class Served:
    """A version that answers. Who takes it gives it back, and it is not unloaded in between."""

    def __init__(self, model: str, number: int, folder: Path, load: Loader, limits: Limits) -> None:
        """Load it and let it repeat its golden outputs.

        Raises:
            Exception: it can't be read, or it is Refused for other outputs than its golden ones.
        """
        self.model = model
        self.number = number
        self.signature = signature.read(folder)
        self._engine = load(folder, f"{model}-{number}")
        try:
            self._check(folder)
        except BaseException:
            self._engine.close()
            raise
        self._batcher = Batcher(self._engine, limits, batchable=self.signature.batchable)
        self._users = 0
        self._free = threading.Condition()

    def _check(self, folder: Path) -> None:
        try:
            expected = golden.read(folder)
        except NotFound:
            return  # A SavedModel of another origin: TF Serving serves these, so does this.
        expected.check(lambda x: self._engine.run({INPUT: x}))

    def submit(self, inputs: Arrays) -> Future[Outputs]:
        """Queue a request that `signature` has checked; who calls holds it (`take`)."""
        return self._batcher.submit(inputs)

    def take(self) -> None:
        """Count one more user. Called under the lock that decides whether it is served."""
        with self._free:
            self._users += 1

    def give_back(self) -> None:
        """Count one user less."""
        with self._free:
            self._users -= 1
            self._free.notify_all()

    def drain(self, timeout: float | None = None) -> bool:
        """Wait until nobody uses it; False after `timeout` seconds."""
        with self._free:
            return self._free.wait_for(lambda: self._users == 0, timeout)

    def close(self) -> None:
        """Release the memory; nobody uses it any more."""
        self._batcher.close()
        self._engine.close()
