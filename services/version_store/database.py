"""The database: one writer at a time, any number of readers, each on one moment's state."""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc

from chexnet.errors import ConfigError
from services.version_store import schema
from services.version_store.errors import StoreError

Sql = sqlite3.Connection
WAIT, TURNS = 5.0, 12  # Seconds for which all wait for who holds the database; how often.


def now() -> int:
    """Return the time in microseconds since 1970."""
    return time.time_ns() // 1000


class Database:
    """SQLite with a write-ahead log. What a write returned from is on the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = threading.RLock()
        self._idle: queue.LifoQueue[Sql] = queue.LifoQueue()
        self._changed = threading.Condition()
        self._count = 0
        self._writer = self._connect()
        self._upgrade(self._writer.execute("PRAGMA user_version").fetchone()[0])

    def _connect(self) -> Sql:
        sql = sqlite3.connect(
            self._path,
            timeout=WAIT,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        sql.row_factory = sqlite3.Row
        sql.execute("PRAGMA journal_mode = WAL")
        sql.execute("PRAGMA synchronous = FULL")
        sql.execute("PRAGMA foreign_keys = ON")
        sql.execute("PRAGMA cache_size = -16384")
        sql.execute("PRAGMA temp_store = MEMORY")
        sql.execute("PRAGMA secure_delete = ON")  # A deleted path may name a patient.
        return sql

    def _upgrade(self, version: int) -> None:
        """Bring the format from `version` to the newest; 0 is an empty file."""
        if version > len(schema.VERSIONS):
            rule = f"The folder's format must be at most {len(schema.VERSIONS)}."
            raise ConfigError(f"{rule} Received: {version}, of a newer version store. Upgrade.")
        if version == len(schema.VERSIONS):
            return
        with self.write() as sql:
            for tables in schema.VERSIONS[version:]:
                for statement in tables.split(";"):
                    sql.execute(statement)
            if version == 0:
                sql.execute("INSERT INTO facts VALUES ('cluster', ?)", (uuid.uuid4().hex,))
                sql.execute("INSERT INTO projects VALUES ('default', '', ?)", (now(),))
            sql.execute(f"PRAGMA user_version = {len(schema.VERSIONS)}")

    @contextmanager
    def write(self, *, keep: bool = True) -> Iterator[Sql]:
        """Hold the only writing transaction; without `keep`, undo it at the end."""
        with self._writing:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                if keep:
                    self._writer.execute("COMMIT")
            finally:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
        if keep:
            self.wake()

    @contextmanager
    def read(self) -> Iterator[Sql]:
        """See the state of this moment until the end, whatever is written meanwhile."""
        try:
            sql = self._idle.get_nowait()
        except queue.Empty:
            sql = self._connect()
        sql.execute("BEGIN")
        try:
            yield sql
        finally:
            sql.execute("ROLLBACK")
            self._idle.put(sql)

    def wake(self) -> None:
        """Let those who wait look again."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def changes(self, going_on: Callable[[], bool]) -> Iterator[None]:
        """Yield now, and after each write, while `going_on()`."""
        while going_on():
            seen = self._count
            yield
            with self._changed:
                self._changed.wait_for(lambda seen=seen: self._count != seen or not going_on())  # type: ignore[misc]

    def shorten_log(self) -> None:
        """Move the log into the database file, as far as no reader needs it."""
        with self._writing:
            self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def purge(self) -> None:
        """Leave nothing on the disk of what was deleted: write the file anew, and empty the log.

        SQLite's secure_delete is not enough: rows that were moved between pages leave copies. It
        waits for those who read now, and who writes waits for it, in turns.

        Raises:
            StoreError: UNAVAILABLE, as somebody reads for longer.
        """
        with self._writing:
            self._writer.execute("PRAGMA temp_store = FILE")  # A copy of all: too much for memory.
            self._writer.execute("VACUUM")
            self._writer.execute("PRAGMA temp_store = MEMORY")
        for _ in range(TURNS):
            with self._writing:
                held, *_ = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not held:
                return
        rule = "What is erased must leave the log too, and nobody may be reading then."
        received = f"Received: a reader of more than {WAIT * TURNS:.0f} s. Erase again after it."
        raise StoreError(f"{rule} {received}", grpc.StatusCode.UNAVAILABLE)

    def close(self) -> None:
        """Move the log into the database file, and let go of it."""
        with self._writing:
            while not self._idle.empty():
                self._idle.get_nowait().close()
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._writer.close()
