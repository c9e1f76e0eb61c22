"""The reconciler: serving holds what control says, after each revision and after each restart."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from prometheus_client import Gauge

from chexnet.errors import ChexnetError
from chexnet.experiments.control import Follower
from chexnet.messages import CHAMPION, Control
from chexnet.runtime.health import Health
from chexnet.runtime.stopping import Backoff
from chexnet.steps.ports import Serving

LOOK = 0.2  # Seconds between looks at control.
REVISION = Gauge("chexnet_control_revision", "Of the newest control.", ["model"])
VERSION = Gauge("chexnet_champion_version", "That answers; 0 before the first.", ["model"])
AGAIN = 15.0  # Seconds after which serving is asked again, since a replica may have been replaced.


class Reconciler:
    """Makes one served model's labels and loaded versions those of control.

    Labels are a view for outside clients: this platform's own calls name versions.
    """

    def __init__(
        self,
        control: Follower,
        serving: Serving,
        *,
        health: Health,
        stop: threading.Event,
        golden: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Wire it; `golden` raises ChexnetError where a replica's answers are not a version's."""
        self._control, self._serving = control, serving
        self._golden, self._repeated = golden, (-1, set[int]())  # By which revision, which ones.
        self._health, self._stop = health, stop
        self._log = logging.getLogger("reconciler")

    def run(self) -> int:
        """Work until `stop` is set; return the exit code."""
        backoff = Backoff(self._stop)
        done, due = -1, 0.0
        while not self._stop.is_set():
            try:
                control = self._control.current()
                REVISION.labels(control.model).set(control.revision)
                VERSION.labels(control.model).set(control.champion or 0)
                if control.revision != done or time.monotonic() > due:
                    self._apply(control)
                    done, due = control.revision, time.monotonic() + AGAIN
                self._health.set("ok")
                backoff.reset()
                self._stop.wait(LOOK)
            except ChexnetError as error:  # A version that can't be served stops nothing else.
                done = -1
                if str(error) != self._health.reason:
                    self._log.warning("waiting", extra={"fields": {"reason": str(error)}})
                self._health.set("waiting", str(error))
                backoff.wait()
        return 0

    def _apply(self, control: Control) -> None:
        if control.loaded:  # Before the first release there is nothing to say.
            self._serving.label(labels(control), control.loaded)
            fields = {"revision": control.revision, "versions": sorted(control.loaded)}
            self._log.info("applied", extra={"fields": fields})
        if self._repeated[0] != control.revision:
            self._repeated = (control.revision, set())
        for version in sorted(control.loaded - self._repeated[1]):  # Stock TF Serving doesn't ask.
            self._golden(version)
            self._repeated[1].add(version)


def labels(control: Control) -> dict[str, int]:
    """Return the labels that outside clients may use: `champion` and each challenger's arm."""
    champion = {} if control.champion is None else {CHAMPION: control.champion}
    return {**control.arms, **champion}
