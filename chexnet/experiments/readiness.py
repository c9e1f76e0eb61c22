"""Whether a version may take a role: AVAILABLE on every replica, with its golden outputs there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from numpy.typing import NDArray

from chexnet.errors import ChexnetError, Refused
from chexnet.steps.ports import Serving

AVAILABLE = "AVAILABLE"
Predict = Callable[[NDArray[Any]], Mapping[str, NDArray[Any]]]
Replicas = Mapping[str, Serving]  # One `Serving` for each replica, by its address.


class Golden(Protocol):
    """The inputs of a release with the outputs that they must give."""

    def check(self, predict: Predict) -> None:
        """Raise Refused where `predict` answers something else."""


def missing(version: int, replicas: Replicas, golden: Golden | None) -> list[str]:
    """Return, as sentences, what keeps `version` from taking a role; nothing where it is ready.

    Without `golden` only its state is asked: enough for a version that has answered before.
    """
    waiting, wrong = [], []
    for name, serving in replicas.items():
        try:
            states = next(iter(serving.states().values()), {})
            state = states.get(version, "not loaded")
            if state != AVAILABLE:
                waiting.append(f"{state} on {name}")
            elif golden is not None:
                golden.check(partial(serving.predict, version))
        except ChexnetError as error:
            wrong.append(f"{name}: {error}")
    if waiting:
        rule = "A version becomes champion only when AVAILABLE on every replica."
        todo = "Wait with: chexnet status serving"
        wrong.insert(0, f"{rule} Received: version {version}, {', '.join(waiting)}. {todo}")
    return wrong


def wait(
    version: int,
    replicas: Replicas,
    golden: Golden,
    *,
    timeout: float,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when `version` is ready; raise Refused, with what is missing, after `timeout` s."""
    deadline = time.monotonic() + timeout
    while lacking := missing(version, replicas, golden):
        if time.monotonic() > deadline:
            raise Refused(f"Not ready after {timeout:.0f} s. {' '.join(lacking)}")
        sleep(0.2)
