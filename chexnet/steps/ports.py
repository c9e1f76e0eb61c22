"""What the steps and the runtime need of the outside. chexnet/adapters fills these ports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from chexnet.messages import Message
from chexnet.topics import Topic

Place = tuple[str, int]  # A topic's name without its pipeline, and a partition.
Offsets = Mapping[Place, int]  # The next offset to read of each place.
Version = tuple[str, str]  # A repo and a commit of it.
Start = Literal["beginning", "end"] | datetime | Offsets


class Subscription(Protocol):
    """One consumer of a group on one topic: each message is completed once, in a transaction."""

    def poll(self, *, at_most: int, timeout: float) -> list[Message]:
        """Return up to `at_most` messages, in order per partition; [] after `timeout` seconds."""

    def complete(self, produced: Sequence[Message]) -> None:
        """Write `produced` and the offsets of all that was polled, in one transaction.

        Raises:
            Unavailable: it did not happen; rewind, then poll again.
        """

    def rewind(self) -> None:
        """Go back to the last completed offsets, as after an abort or a rebalance."""

    def lag(self) -> int:
        """Return how many messages wait."""

    def close(self) -> None:
        """Leave the group."""


class Reader(Protocol):
    """Reads committed messages of some topics without a group: nobody's offsets move."""

    def poll(self, *, timeout: float) -> list[Message]:
        """Return what has come since; [] after `timeout` seconds."""

    def to_end(self) -> Iterator[Message]:
        """Yield what stands between here and the end as it was when the call was made."""

    def offsets(self) -> dict[Place, int]:
        """Return the next offset of each partition."""

    def close(self) -> None:
        """Release the connection."""


class Exclusive(Protocol):
    """The only writer of its name: a newer one fences it."""

    def write(self, messages: Sequence[Message]) -> None:
        """Write all or nothing; raise Stale if a newer writer of this name has come."""


class Bus(Protocol):
    """The topics of one pipeline."""

    def send(self, messages: Sequence[Message]) -> None:
        """Write `messages`; on return the broker has them all. Raises Unavailable."""

    def subscribe(self, topic: Topic, *, group: str, instance: str) -> Subscription:
        """Join `group`. `instance` is stable over restarts: its old transactions are fenced."""

    def read(self, topics: Iterable[Topic], *, start: Start = "beginning") -> Reader:
        """Read from `start` on; places that an Offsets does not name are read from 0."""

    def exclusive(self, name: str) -> AbstractContextManager[Exclusive]:
        """Become the writer called `name`, fencing the one before."""

    def close(self) -> None:
        """Release what is held."""


class Store(Protocol):
    """The versioned repos of one pipeline: commits of files, and the offsets they came from."""

    def ensure(self, repo: str) -> None:
        """Create the project and `repo` where they are missing."""

    def write(
        self,
        repo: str,
        files: Mapping[str, bytes],
        offsets: Offsets | None = None,
        *,
        remove: Sequence[str] = (),
    ) -> str:
        """Add or replace `files`, remove `remove`, record `offsets`, as one commit; return its id.

        The last finished commit is all of it or nothing of it, whatever happens in between.
        """

    def head(self, repo: str) -> str | None:
        """Return the last finished commit of the repo's branch; None where there is none."""

    def commits(self, repo: str) -> Iterator[str]:
        """Yield the finished commits of the repo's branch, the newest first."""

    def read(self, repo: str, path: str, commit: str | None = None) -> bytes:
        """Return one file of `commit`, else of the head; raise NotFound."""

    def list(self, repo: str, path: str = "/", commit: str | None = None) -> list[str]:
        """Return the paths of all files below `path`, sorted; [] where there is nothing."""

    def glob(self, repo: str, pattern: str, commit: str | None = None) -> Sequence[str]:
        """Return the paths of all files that match, sorted; `*` is anything within a name."""

    def fetch(
        self, repo: str, path: str = "/", commit: str | None = None
    ) -> Iterator[tuple[str, bytes]]:
        """Yield the path and bytes of all files below `path`, in one stream."""

    def offsets(self, repo: str) -> dict[Place, int]:
        """Return the offsets in the head."""

    def upstream(self, repo: str, commit: str) -> Sequence[Version]:
        """Return the commits that one was made from."""

    def downstream(self, repo: str, commit: str) -> Sequence[Version]:
        """Return the commits that were made from one, the oldest first."""

    def newer(self, repo: str, than: str | None) -> str:
        """Wait for a finished commit after `than`, and return it; None is before the first."""


class Serving(Protocol):
    """One served model on all its replicas."""

    def predict(self, version: int, x: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Return the signature's outputs for a batch.

        Raises:
            NotFound: this version is not served.
            Unavailable: no replica answers.
        """

    def states(self) -> dict[str, dict[int, str]]:
        """Return replica → version → state (TF Serving's names, e.g. AVAILABLE)."""

    def label(self, labels: Mapping[str, int], keep: Iterable[int]) -> None:
        """Set the labels on every replica, and keep exactly the versions `keep` loaded."""
