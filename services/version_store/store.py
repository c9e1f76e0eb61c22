"""What the parts of this server share: database, blobs, and the change that a request makes."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chexnet.runtime.stopping import Backoff
from services.version_store.blobs import Blobs
from services.version_store.database import Database, Sql, now

COLLECT_EVERY = 600.0  # Seconds at least between two collections that nobody asked for.
_LOG = logging.getLogger("version_store")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Change:
    """One request, or all requests of one transaction, while it is being carried out.

    All commits that it starts have one id: together they are a commit set. Branches that it moves
    are propagated once, at its end, so that two moved inputs start one downstream commit.
    """

    sql: Sql
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    now: int = field(default_factory=now)
    moved: list[int] = field(default_factory=list)
    schedule: bool = False  # Whether another pipeline may tick, or none.
    garbage: bool = False  # Whether files may have lost their last commit.


class Store:
    """One folder's projects, repos, branches, commits and files."""

    def __init__(self, folder: Path, propagate: Callable[[Change], None]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.database = Database(folder / "store.sqlite")
        self.blobs = Blobs(folder / "packs", self.database)
        self._propagate = propagate
        self.scheduled = threading.Event()
        self._garbage = threading.Event()
        self._closing = threading.Event()
        self._collector = threading.Thread(target=self._collect, name="collector", daemon=True)
        self._collector.start()

    @contextmanager
    def change(self, *, id: str | None = None, keep: bool = True) -> Iterator[Change]:  # noqa: A002
        """Make one change, all or nothing; without `keep`, only see what it would do."""
        with self.database.write(keep=keep) as sql:
            made = Change(sql, id or uuid.uuid4().hex)
            yield made
            self._propagate(made)
        if made.garbage and keep:
            self._garbage.set()
        if made.schedule and keep:
            self.scheduled.set()

    def _collect(self) -> None:
        """Free what changes leave behind, some time after they came."""
        backoff = Backoff(self._closing)
        while self._garbage.wait() and not self._closing.is_set():
            self._garbage.clear()
            try:
                self.blobs.collect()
            except Exception:  # A full disk, say: what is left is left for the next time.
                _LOG.exception("collection failed")
                self._garbage.set()
                backoff.wait()
            else:
                backoff.reset()
                self._closing.wait(COLLECT_EVERY)

    def close(self) -> None:
        """Release the folder."""
        self._closing.set()
        self._garbage.set()
        self._collector.join()
        self.database.close()
        self.blobs.close()


def moment(microseconds: int) -> datetime:
    """Return a kept time as the API has it."""
    return _EPOCH + timedelta(microseconds=microseconds)
