"""The bytes of files: chunks named by their SHA-256, one behind the other in pack files.

A chunk's place is in the database, in the same transaction as the entry that uses it, and its pack
is synced before: no row ever names bytes that are not on the disk. What no entry uses any more, or
what a stream that broke off has left behind, becomes a hole in its pack: see `collect`.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from services.version_store import holes
from services.version_store.database import Database, Sql

CHUNK = 2**20  # Part of the format: all chunks of a file but the last have this size.
HASH = 32
PACK = 2**30
_ZEROS = bytes(CHUNK)  # What a hole reads as.


class Place(NamedTuple):
    """Where a chunk lies."""

    pack: int
    start: int
    size: int


class Content(NamedTuple):
    """What a file holds: its size, its hash, and its chunks' hashes one after the other."""

    size: int
    hash: bytes
    chunks: bytes


def content(size: int, chunks: bytes) -> Content:
    """Return a file's content; the hash of one chunk is that of the file's bytes."""
    single = len(chunks) == HASH
    return Content(size, chunks if single else hashlib.sha256(chunks).digest(), chunks)


class Blobs:
    """The pack files of one folder."""

    def __init__(self, folder: Path, database: Database) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._database = folder, database
        self._lock = threading.Lock()
        self._staging = threading.Condition()
        self._stages = 0  # That may lean on any chunk that they found.
        self._fresh: dict[bytes, Place] = {}  # Written, but in no committed row yet.
        self._files: dict[int, int] = {}  # Pack → file descriptor.
        self._pack = max((int(p.stem) for p in folder.glob("*.pack")), default=1)
        self._end = os.fstat(self._open(self._pack)).st_size

    def _open(self, pack: int) -> int:
        if pack not in self._files:
            path = self._folder / f"{pack:06}.pack"
            new = not path.exists()
            self._files[pack] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if new:
                folder = os.open(self._folder, os.O_RDONLY)
                os.fsync(folder)  # Else a power cut could take the new name away.
                os.close(folder)
        return self._files[pack]

    @contextmanager
    def stage(self) -> Iterator[Stage]:
        """Add chunks; while anybody does, none is collected."""
        with self._staging:
            self._stages += 1
        stage = Stage(self)
        try:
            yield stage
        finally:
            self._forget(stage)
            with self._staging:
                self._stages -= 1
                self._staging.notify_all()

    def collect(self, *, at_once: bool = False) -> int:
        """Forget the chunks that no entry uses, and free their bytes; return how many.

        Args:
            at_once: also what the database's file and log still have of them; it waits for readers.

        Rows go first: were it killed in between, the next collection finds the bytes in no row.
        """
        with self._staging:  # From the moment on when nobody stages, new stages wait.
            self._staging.wait_for(lambda: self._stages == 0)
            with self._database.write() as sql:
                used = {
                    chunks[at : at + HASH]
                    for (chunks,) in sql.execute("SELECT chunks FROM entries")
                    for at in range(0, len(chunks), HASH)
                }
                rows = sql.execute("SELECT hash, size FROM chunks").fetchall()
                unused = [(name, size) for name, size in rows if name not in used]
                sql.executemany("DELETE FROM chunks WHERE hash = ?", [(n,) for n, _ in unused])
                kept = sql.execute("SELECT pack, start, size FROM chunks ORDER BY pack, start")
                places = [Place(*row) for row in kept]
            self._free(places)
        if at_once:
            self._database.purge()
        else:
            self._database.shorten_log()
        return sum(size for _, size in unused)

    def _free(self, places: Sequence[Place]) -> None:
        """Make holes of all that lies between `places`, which are sorted."""
        with self._lock:
            of_pack = {pack: list(found) for pack, found in groupby(places, lambda p: p.pack)}
            for pack in range(1, self._pack + 1):
                file, at = self._open(pack), 0
                end = os.fstat(file).st_size
                for place in (*of_pack.get(pack, ()), Place(pack, end, 0)):
                    if place.start > at:
                        holes.punch(file, at, place.start - at)
                    at = place.start + place.size
                os.fdatasync(file)

    def place(self, sql: Sql, name: bytes) -> Place | None:
        """Return where a chunk lies; None if it is nowhere."""
        row = sql.execute("SELECT pack, start, size FROM chunks WHERE hash = ?", (name,)).fetchone()
        return Place(*row) if row else self._fresh.get(name)

    def read(self, sql: Sql, name: bytes) -> bytes:
        """Return the bytes of a chunk."""
        place = self.place(sql, name)
        if place is None:
            raise OSError(f"chunk {name.hex()} has no place: run fsck")
        with self._lock:
            file = self._open(place.pack)
        data = os.pread(file, place.size, place.start)
        if len(data) != place.size:
            raise OSError(f"chunk {name.hex()} is cut short in pack {place.pack}: run fsck")
        if data == _ZEROS[: len(data)] and hashlib.sha256(data).digest() != name:
            raise OSError(f"chunk {name.hex()} was freed while it was read: ask again")
        return data

    def stream(self, sql: Sql, chunks: bytes, offset: int = 0) -> Iterator[bytes]:
        """Yield a file's bytes from `offset` on, a chunk at a time."""
        first, skip = divmod(offset, CHUNK)
        for at in range(first * HASH, len(chunks), HASH):
            data = self.read(sql, chunks[at : at + HASH])
            if piece := data[skip:]:
                yield piece
            skip = 0

    def _write(self, name: bytes, data: bytes | memoryview) -> Place:
        with self._lock:
            if name in self._fresh:
                return self._fresh[name]
            if self._end >= PACK:
                self._pack, self._end = self._pack + 1, 0
            view = memoryview(data)
            while view:  # A full disk can take a part before it raises.
                done = os.pwrite(self._open(self._pack), view, self._end + len(data) - len(view))
                view = view[done:]
            place = Place(self._pack, self._end, len(data))
            self._end += len(data)
            self._fresh[name] = place
            return place

    def _sync(self, packs: Iterable[int]) -> None:
        for pack in packs:
            with self._lock:
                file = self._open(pack)
            os.fdatasync(file)

    def _forget(self, stage: Stage) -> None:
        with self._lock:
            for name in stage.names:
                self._fresh.pop(name, None)

    def close(self) -> None:
        """Close the packs."""
        with self._lock:
            for file in self._files.values():
                os.close(file)
            self._files.clear()


class Stage:
    """The chunks of one request: added as they come, recorded with what uses them."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._fresh: dict[bytes, Place] = {}

    def add(self, sql: Sql, data: bytes | memoryview) -> bytes:
        """Write `data` unless it is there; return its name."""
        name = hashlib.sha256(data).digest()
        if name not in self._fresh:
            known = sql.execute("SELECT 1 FROM chunks WHERE hash = ?", (name,)).fetchone()
            if not known:
                self._fresh[name] = self._blobs._write(name, data)
        return name

    def sync(self) -> None:
        """Return when all that was added is on the disk. It comes before `record`."""
        self._blobs._sync({place.pack for place in self._fresh.values()})

    def record(self, sql: Sql) -> None:
        """Write the places into the database, within the caller's transaction."""
        rows = [(name, *place) for name, place in self._fresh.items()]
        sql.executemany("INSERT OR IGNORE INTO chunks VALUES (?, ?, ?, ?)", rows)

    @property
    def names(self) -> Collection[bytes]:
        """The chunks that it has written."""
        return self._fresh
