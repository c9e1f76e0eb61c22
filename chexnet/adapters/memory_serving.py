"""The port `Serving` in memory, for unit tests: tests/contract/test_serving.py holds it to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from chexnet.errors import NotFound, Refused, Unavailable

Model = Callable[[NDArray[np.uint8]], dict[str, NDArray[np.float32]]]


class MemoryServing:
    """A model whose versions are functions.

    Attributes:
        loaded: versions that answer; at first all of them.
        labels: label → version.
        down: replicas that do not answer; a test adds and removes them.
    """

    def __init__(
        self, versions: Mapping[int, Model], replicas: Sequence[str] = ("memory",)
    ) -> None:
        self.versions = dict(versions)
        self.loaded = set(versions)
        self.labels: dict[str, int] = {}
        self.down: set[str] = set()
        self._replicas = tuple(replicas)

    def predict(self, version: int, x: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Call the version's function."""
        if self.down.issuperset(self._replicas):
            raise Unavailable(f"Waiting for TF Serving at {', '.join(self._replicas)}: down.")
        if version not in self.loaded:
            rule = f"A replica must serve version {version}."
            raise NotFound(f"{rule} Received: versions {sorted(self.loaded)}. Release it first.")
        return self.versions[version](x)

    def states(self) -> dict[str, dict[int, str]]:
        """Return AVAILABLE for what is loaded, END for the rest."""
        self._all_up()
        states = {v: "AVAILABLE" if v in self.loaded else "END" for v in self.versions}
        return {replica: dict(states) for replica in self._replicas}

    def label(self, labels: Mapping[str, int], keep: Iterable[int]) -> None:
        """Load `keep`, set the labels whose versions there are."""
        self._all_up()
        wanted = {*keep, *labels.values()}
        self.loaded = wanted & set(self.versions)
        self.labels = {name: v for name, v in labels.items() if v in self.loaded}
        if missing := sorted(wanted - self.loaded):
            rule = f"Every replica must serve version {missing[0]}."
            raise Refused(f"{rule} Received: it finds no such folder. Release it again.")

    def close(self) -> None:
        """Hold nothing."""

    def _all_up(self) -> None:
        for replica in self._replicas:
            if replica in self.down:
                raise Unavailable(f"Waiting for TF Serving at {replica}: down.")
