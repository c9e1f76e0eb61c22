"""How far a training is: told as a line of its log, and read back from it. Free of TensorFlow."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import msgspec
from msgspec import Struct

WARNING = "warning: "  # What such a line of the log begins with.
EVERY = 1.0  # Seconds between two lines within an epoch: a log is read by people.
_LINE = re.compile(
    r"epoch (?P<epoch>\d+)/(?P<epochs>\d+) step (?P<step>\d+)/(?P<steps>\d+) loss (?P<loss>\S+)"
    r"(?: val_loss (?P<val_loss>\S+))?(?: val_auroc (?P<val_auroc>\S+))?"
)


class Progress(Struct, frozen=True):
    """How far a training is. `val_…` are None until the epoch is over."""

    epoch: int  # From 1.
    epochs: int
    step: int
    steps: int
    loss: float
    val_loss: float | None = None
    val_auroc: float | None = None

    @property
    def ends_epoch(self) -> bool:
        """Whether validation has been told."""
        return self.val_loss is not None

    def __str__(self) -> str:
        """Return the line that `parse` reads."""
        told = (
            f"epoch {self.epoch}/{self.epochs} step {self.step}/{self.steps} loss {self.loss:.4f}"
        )
        for name in ("val_loss", "val_auroc"):
            if (value := getattr(self, name)) is not None:
                told += f" {name} {value:.4f}"
        return told


def parse(line: str) -> Progress | None:
    """Return the progress that a line of a log tells; None for any other line."""
    found = _LINE.fullmatch(line.strip())
    if found is None:
        return None
    said = {name: value for name, value in found.groupdict().items() if value is not None}
    return msgspec.convert(said, Progress, strict=False)


def warned(line: str) -> str | None:
    """Return what a line of a log warns of; None for any other line."""
    told = line.strip()
    return told.removeprefix(WARNING) if told.startswith(WARNING) else None


Report = Callable[[Progress], None]


class Log:
    """Prints progress, a line a second and one at each epoch's end."""

    def __init__(
        self,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say, self._clock = say, clock
        self._due = clock()

    def __call__(self, now: Progress) -> None:
        """Tell `now`, if it is time."""
        if now.ends_epoch or self._clock() >= self._due:
            self._due = self._clock() + EVERY
            self._say(str(now))
