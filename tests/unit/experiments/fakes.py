"""One replica of a model server, and the golden outputs of a release."""

from __future__ import annotations

import numpy as np

from chexnet.errors import Refused, Unavailable


class Replica:
    """Serves what `states` says; a version answers its own number."""

    def __init__(self, **states: str) -> None:
        self.states_by_version = {int(name.strip("v")): state for name, state in states.items()}
        self.down = False
        self.asked: list[int] = []

    def predict(self, version, x):
        self.asked.append(version)
        return {"probabilities": np.full((len(x), 1), version, np.float32)}

    def states(self):
        if self.down:
            raise Unavailable("Waiting for serving at s: connection refused. Start it: make up")
        return {"s": dict(self.states_by_version)}

    def label(self, labels, keep):
        raise NotImplementedError


class Answers:
    """Golden outputs: the number that the version must answer."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted

    def check(self, predict) -> None:
        got = predict(np.zeros((2, 1), np.uint8))["probabilities"]
        if (got != self.wanted).any():
            rule = "A release must repeat its golden outputs within 1e-4."
            raise Refused(f"{rule} Received: {got[0, 0] - self.wanted:g} off.")
