"""Whether a version may take a role: AVAILABLE on every replica, with its golden outputs there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from numpy.typing import NDArray

from chexnet.errors import ChexnetError, Refused, Unavailable
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
    return _unserved(version, replicas) or _wrong(version, replicas, golden)


def wait(
    version: int,
    replicas: Replicas,
    golden: Golden,
    *,
    timeout: float,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when `version` is ready; raise Refused, with what is missing, after `timeout` s.

    Wrong golden outputs are not waited for: no time makes them right.
    """
    deadline = time.monotonic() + timeout
    while unserved := _unserved(version, replicas):
        if time.monotonic() > deadline:
            raise Refused(f"Not ready after {timeout:.0f} s. {' '.join(unserved)}")
        sleep(0.2)
    if wrong := _wrong(version, replicas, golden):
        raise Refused(" ".join(wrong))


def _unserved(version: int, replicas: Replicas) -> list[str]:
    """Return on which replicas the version is not AVAILABLE."""
    waiting, down = [], []
    for name, serving in replicas.items():
        try:
            states = next(iter(serving.states().values()), {})
        except Unavailable as error:
            down.append(f"{name}: {error}")
            continue
        if (state := states.get(version, "not loaded")) != AVAILABLE:
            waiting.append(f"{state} on {name}")
    if waiting:
        rule = "A version becomes champion only when AVAILABLE on every replica."
        todo = "Wait with: chexnet status"
        down.insert(0, f"{rule} Received: version {version}, {', '.join(waiting)}. {todo}")
    return down


def _wrong(version: int, replicas: Replicas, golden: Golden | None) -> list[str]:
    """Return on which replicas it does not answer as it was exported."""
    wrong: list[str] = []
    if golden is None:
        return wrong
    for name, serving in replicas.items():
        try:
            golden.check(partial(serving.predict, version))
        except ChexnetError as error:
            wrong.append(f"{name}: {error}")
    return wrong
