"""The archiver: a topic's record into a repo, each message once.

The offsets lie in the same commit as the files, so the last finished commit says where to go on:
whatever a crash left half done is read and written again, under the same paths.
"""

from __future__ import annotations

import fcntl
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import Counter

from chexnet.errors import BadInput, Refused, Unavailable
from chexnet.messages import Message, Rejected
from chexnet.runtime.health import Health
from chexnet.runtime.stopping import Backoff
from chexnet.steps.archive import place
from chexnet.steps.ports import Bus, Offsets, Reader, Store
from chexnet.topics import Topic

Filing = Callable[[Message], tuple[str, bytes]]  # A message's path and bytes in its repo.
ARCHIVED = Counter("chexnet_archived_total", "Files that were archived.", ["repo"])


def by_place(_: Store) -> Filing:
    """Return the filing of most repos: a message lies where its ids say, as it came."""
    return lambda message: (place(message), message.value)


class Archiver:
    """The sole writer of one repo's branch.

    Args:
        filing: gives a message its path and bytes; made anew from the store after an outage, since
            the audit's follows from what is archived.
        count, size, age: a batch is committed when it has so many files or bytes, or when its first
            message has waited so many seconds.
    """

    def __init__(
        self,
        bus: Bus,
        store: Store,
        repo: str,
        topics: Sequence[Topic],
        *,
        health: Health,
        stop: threading.Event,
        filing: Callable[[Store], Filing] = by_place,
        count: int = 500,
        size: int = 64 * 2**20,
        age: float = 1.0,
    ) -> None:
        self._bus, self._store, self._repo, self._topics = bus, store, repo, topics
        self._health, self._stop, self._filing = health, stop, filing
        self._count, self._size, self._age = count, size, age
        self._log = logging.getLogger(f"archiver-{repo}")

    def run(self) -> int:
        """Work until `stop` is set; return the exit code."""
        backoff = Backoff(self._stop)
        while not self._stop.is_set():
            try:
                self._store.ensure(self._repo)
                reader = self._bus.read(self._topics, start=self._store.offsets(self._repo))
                try:
                    filing = self._filing(self._store)
                    self._health.set("ok")
                    backoff.reset()
                    self._follow(reader, filing)
                finally:
                    reader.close()
            except Unavailable as error:
                self._log.info("waiting", extra={"fields": {"reason": str(error)}})
                self._health.set("waiting", str(error))
                backoff.wait()
        return 0

    def _follow(self, reader: Reader, filing: Filing) -> None:
        while not self._stop.is_set():
            batch = self._gather(reader)
            if batch:
                self._write(batch, filing, reader.offsets())

    def _gather(self, reader: Reader) -> list[Message]:
        batch: list[Message] = reader.poll(timeout=0.5)
        due = time.monotonic() + self._age
        while batch and not self._stop.is_set() and (left := due - time.monotonic()) > 0:
            if len(batch) >= self._count or sum(len(m.value) for m in batch) >= self._size:
                break
            batch += reader.poll(timeout=min(left, 0.2))
        return batch

    def _write(self, batch: Sequence[Message], filing: Filing, offsets: Offsets) -> None:
        files, rejected = {}, []
        for m in batch:
            try:
                path, data = filing(m)
                files[path] = data
            except BadInput as error:
                rejected.append(Rejected(message=m, code=error.code, reason=str(error)))
        if rejected:  # Before the commit: a crash in between repeats a dead letter, loses none.
            self._bus.send([r.dead_letter(f"archiver-{self._repo}") for r in rejected])
        commit = self._store.write(self._repo, files, offsets)
        ARCHIVED.labels(self._repo).inc(len(files))
        fields = {"commit": commit, "files": len(files), "rejected": len(rejected)}
        self._log.info("committed", extra={"fields": fields})


@contextmanager
def sole_writer(lock: Path) -> Iterator[None]:
    """Hold the lock file of a repo; a second writer of it refuses to run.

    The kernel frees it when the process ends, however it ends.

    Raises:
        Refused: another process holds it.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            rule = f"A repo must have one writer. Received: a second one for {lock.stem}."
            raise Refused(f"{rule} Wait for the other one's end, or stop it first.") from error
        yield
