"""Bulk import: a folder of labelled images into the repos `nih` and `labels`, without the bus.

A file's place says which image it is, so that the repo itself tells what is in already; the cache
only spares reading those files again. It stays on this machine: file names can be patients' names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from msgspec import Struct

from chexnet.data.importcache import Cache, Seen, stamp
from chexnet.data.labels import READERS, Labelled, Row, table_of
from chexnet.data.parallel import spread
from chexnet.data.places import BULK, DATA, LABELS, Place
from chexnet.errors import BadInput, ConfigError
from chexnet.evaluation.details import grouped
from chexnet.inputs.base import Input, Limits, load
from chexnet.steps import archive
from chexnet.steps.ports import Store

BATCH, BATCH_BYTES = 500, 64 * 2**20  # One commit's files at most.
NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")  # A letter first: no day of the uploads is one.


class Failed(Struct, frozen=True):
    """A file that is not in, and why."""

    file: str
    reason: str
    unread: bool = False  # It is there, and the disk did not give it: it may be good all the same.


class Imported(Struct, frozen=True, kw_only=True):
    """What an import did."""

    images: int  # All that the import holds now.
    sent: int  # Of which new.
    removed: int  # Of an earlier import of the name.
    failed: tuple[Failed, ...]


class _Cleaned(Struct, frozen=True):
    seen: Seen
    path: str  # In repo nih.
    data: bytes


def import_folder(
    store: Store,
    source: Input,
    rows: Sequence[Labelled],
    *,
    name: str,
    limits: Limits,
    cache: Cache,
    processes: int | None = None,
    report: Callable[[], None] = lambda: None,
) -> Imported:
    """Bring images and their labels into the repos `nih` and `labels`.

    Args:
        store: of the pipeline.
        source: the installed input; it is loaded by name in each process.
        rows: files, patients' pseudonyms and findings. Where there is no pseudonym, the image is a
            unit by itself.
        name: of the import; what an earlier one of that name brought and this one has not, goes.
        limits: of one file.
        cache: what is known of files that were read before.
        processes: how many clean files; by default one for each CPU.
        report: called after each file.

    Returns:
        What was done; files that failed are named, and the others are in.

    Raises:
        ConfigError: the name can't be one, or no file is readable.
    """
    if not NAME.fullmatch(name) or name == READERS:
        rule = f"An import's name must be lower case letters, digits, - and _, and not {READERS}."
        raise ConfigError(f"{rule} Received: {name!r}. Give another one by --name.")
    for repo in (BULK, LABELS):
        store.ensure(repo)
    run = _Run(store, name, cache)
    fresh = []
    for row in rows:
        if run.is_in(row):
            report()
        else:
            fresh.append(row)
    clean = partial(_clean, source.name, limits, name)
    for row, done in zip(fresh, spread(clean, fresh, processes, crashed=_crashed), strict=True):
        run.take(row, done)
        report()
    run.commit()
    if not run.places:
        first = f" The first: {run.failed[0].reason}" if run.failed else ""
        rule = "An import must have at least one readable image."
        raise ConfigError(f"{rule} Received: {len(rows)} files, none readable.{first}")
    stale = sorted(run.there - {path for path, _ in run.places.values()})
    if stale:
        store.write(BULK, {}, remove=stale)
    labelled = ((image, row) for image, (_, row) in sorted(run.places.items()))
    write_if_new(store, LABELS, {f"/{name}.csv": table_of(labelled, source.labels)})
    return Imported(
        images=len(run.places), sent=run.sent, removed=len(stale), failed=tuple(run.failed)
    )


class _Run:
    """An import on its way: what is in, and what waits for the next commit."""

    def __init__(self, store: Store, name: str, cache: Cache) -> None:
        self._store, self._name, self._cache = store, name, cache
        self.there = set(store.list(BULK, f"{DATA}/{name}"))
        self.places: dict[str, tuple[str, Row]] = {}  # Image id → path, unit and findings.
        self.failed: list[Failed] = []
        self.sent = 0
        self._files: dict[str, str] = {}  # Image id → the file that it was first found in.
        self._batch: dict[str, bytes] = {}
        self._bytes = 0

    def is_in(self, row: Labelled) -> bool:
        """Return whether a file is known and unchanged, and its image in the repo."""
        seen = self._cache.find(row.path)
        if seen is None or (path := _place(self._name, row, seen)) not in self.there:
            return False
        self._keep(row, seen, path)
        return True

    def take(self, row: Labelled, done: _Cleaned | Failed) -> None:
        """Take a file that was read, or what was wrong with it."""
        if isinstance(done, Failed):
            self.failed.append(done)
            before = self._cache.last(row.path) if done.unread else None
            if before and (path := _place(self._name, row, before)) in self.there:
                self._keep(row, before, path)  # What an earlier import brought stays.
            return
        self._cache.add(row.path, done.seen)
        if self._keep(row, done.seen, done.path) and done.path not in self.there:
            self._batch[done.path] = done.data
            self._bytes += len(done.data)
            if len(self._batch) >= BATCH or self._bytes >= BATCH_BYTES:
                self.commit()

    def _keep(self, row: Labelled, seen: Seen, path: str) -> bool:
        if (first := self._files.get(seen.image_id)) is not None:
            self.failed.append(Failed(row.file, f"It is the same image as {first}, which is in."))
            return False
        self._files[seen.image_id] = row.file
        unit, details = row.patient or seen.image_id, grouped(row.details)
        self.places[seen.image_id] = path, Row(unit, row.findings, row.split, details)
        return True

    def commit(self) -> None:
        """Send what waits."""
        if self._batch:
            self._store.write(BULK, self._batch)
            self.sent += len(self._batch)
            self._batch, self._bytes = {}, 0


def _place(name: str, row: Labelled, seen: Seen) -> str:
    return Place(name, row.patient or seen.image_id, seen.image_id).path(f".{seen.suffix}")


def _clean(source: str, limits: Limits, name: str, row: Labelled) -> _Cleaned | Failed:
    try:
        if row.patient and not archive.NAME.fullmatch(row.patient):
            rule = "A patient must be a pseudonym: letters, digits, - _ = and points."
            raise BadInput("patient", f"{rule} Received: {row.patient[:80]!r}. Correct labels.csv.")
        before = stamp(row.path)
        cleaned = load(source).clean(row.path.read_bytes(), limits)
    except (BadInput, OSError) as error:
        gone = isinstance(error, BadInput | FileNotFoundError)
        return Failed(row.file, str(error), unread=not gone)
    seen = Seen(before, cleaned.image_id, archive.suffix(cleaned.data))
    return _Cleaned(seen, _place(name, row, seen), cleaned.data)


def _crashed(row: Labelled) -> _Cleaned | Failed:
    return Failed(row.file, "What reads it crashed. Export it again.")


def write_if_new(store: Store, repo: str, files: Mapping[str, bytes]) -> None:
    """Commit those files that are not there as they are."""
    there = set(store.list(repo))
    new = {p: d for p, d in files.items() if p not in there or store.read(repo, p) != d}
    if new:
        store.write(repo, new)
