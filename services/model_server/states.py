"""The states that versions have gone through, as GetModelStatus tells them."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from enum import IntEnum

from msgspec import Struct

from services.model_server.errors import Code


class State(IntEnum):
    """TF Serving's ModelVersionStatus.State."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


class Status(Struct, frozen=True):
    """Where a version is; an END with another code than OK is a failure to load."""

    state: State
    code: Code = Code.OK
    message: str = ""


class States:
    """Model → version → status. A version that was unloaded stays, as END."""

    def __init__(self) -> None:
        self._of: dict[str, dict[int, Status]] = defaultdict(dict)
        self._changed = threading.Condition()

    def set(self, model: str, version: int, status: Status) -> None:
        """Record a transition."""
        with self._changed:
            self._of[model][version] = status
            self._changed.notify_all()

    def of(self, model: str) -> dict[int, Status]:
        """Return version → status of one model, {} where it has none."""
        with self._changed:
            return dict(self._of.get(model, {}))

    def wait_for(self, holds: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until `holds()` after some transition; False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(holds, timeout)

    def summary(self) -> dict[str, dict[int, str]]:
        """Return model → version → state's name."""
        with self._changed:
            return {m: {v: s.state.name for v, s in of.items()} for m, of in self._of.items()}
