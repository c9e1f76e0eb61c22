"""Follows the bus for a workspace: one thread that takes records in and says when to look again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from time import monotonic

from chexnet import topics
from chexnet.errors import ChexnetError
from chexnet.experiments import control
from chexnet.messages import Control
from chexnet.steps.ports import Bus
from chexnet.ui.cards import Cards
from chexnet.ui.cases import FOLLOWED, Cases
from chexnet.ui.reading import Readings

TICK = 0.1  # Seconds: how long a change may wait to be drawn.
PAUSES = (0.5, 1.0, 2.0, 5.0)  # Seconds between attempts while the bus is away.


class Following:
    """Keeps `cases` and `control` up to date until it is closed.

    Args:
        bus: of the pipeline.
        model: whose control record counts.
        cases: what takes the records in.
        readings: what takes the reader's in, which another session may write at any time.
        cards: are drawn anew when one of them is found.
        since: where to begin.
        prepare: called in this thread each time the bus is there (again), before anything is read.
        redraw: called in this thread after something changed.
    """

    def __init__(
        self,
        bus: Bus,
        model: str,
        cases: Cases,
        readings: Readings,
        cards: Cards,
        *,
        since: datetime,
        prepare: Callable[[], None],
        redraw: Callable[[], None],
    ) -> None:
        self._bus, self._model, self._cases = bus, model, cases
        self._readings, self._cards = readings, cards
        self._since, self._prepare, self._redraw = since, prepare, redraw
        self.control = Control.empty(model)
        self.problem = ""  # Why nothing comes at the moment; for people.
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="workspace", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop, and wait until the thread has ended."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout=10)

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                self._follow()
            except ChexnetError as error:
                self._tell(str(error))
                self._stop.wait(PAUSES[min(failures, len(PAUSES) - 1)])
                failures += 1
            except Exception as error:
                self._tell(
                    f"The workspace has stopped, {type(error).__name__}: run its cell again."
                )
                raise

    def _follow(self) -> None:
        self._prepare()
        records = self._bus.read((*FOLLOWED, topics.FEEDBACK), start=self._since)
        following = control.Follower(self._bus, self._model)
        drawn: tuple[int, ...] = ()
        at = 0.0
        try:
            while not self._stop.is_set():
                for message in records.poll(timeout=TICK):
                    told = self._readings if message.topic == topics.FEEDBACK else self._cases
                    told.see(message)
                newest = following.current()
                changed = newest.revision != self.control.revision or bool(self.problem)
                self.control, self.problem = newest, ""
                seen = (self._cases.revision, self._readings.revision, self._cards.revision)
                waited = monotonic() - at >= TICK  # Of many records, not each is drawn.
                if changed or (waited and drawn != seen):
                    drawn, at = seen, monotonic()
                    self._redraw()
        finally:
            records.close()
            following.close()

    def _tell(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            self._redraw()
