"""Bulk import: a folder of labelled images into the repos, without the bus.

`/imports/<name>.json` says which files are in already, so that an interrupted import goes on where
it was, and a repeated one sends only what is new.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
from msgspec import Struct

from chexnet.data.labels import Labelled, Row, table_of
from chexnet.data.parallel import spread
from chexnet.data.places import BULK, LABELS, Place
from chexnet.errors import BadInput, ConfigError
from chexnet.inputs.base import Input, Limits, load
from chexnet.messages import sha256
from chexnet.steps import archive
from chexnet.steps.ports import Store

BATCH, BATCH_BYTES = 500, 64 * 2**20  # One commit's files at most.
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class Entry(Struct, frozen=True):
    """A file that is in."""

    path: str  # In repo nih.
    sha256: str  # Of the file as it was given.
    image_id: str
    unit: str


class Failed(Struct, frozen=True):
    """A file that is not in, and why."""

    file: str
    reason: str


class Imported(Struct, frozen=True, kw_only=True):
    """What an import did."""

    images: int  # All that the import holds now.
    sent: int  # Of which new.
    removed: int  # Of an earlier import of the name.
    failed: tuple[Failed, ...]


class _Sent(Struct, frozen=True):
    file: str
    entry: Entry
    data: bytes


def import_folder(
    store: Store,
    source: Input,
    rows: Sequence[Labelled],
    *,
    name: str,
    limits: Limits,
    processes: int | None = None,
    report: Callable[[], None] = lambda: None,
) -> Imported:
    """Bring images and their labels into the repos `nih` and `labels`.

    Args:
        store: of the pipeline.
        source: the installed input; it is loaded by name in each process.
        rows: files, patients' pseudonyms and findings. Where there is no pseudonym, the image is a
            unit by itself.
        name: of the import; an earlier one of that name is replaced.
        limits: of one file.
        processes: how many clean files; by default one for each CPU.
        report: called after each file.

    Returns:
        What was done; files that failed are named, and the others are in.

    Raises:
        ConfigError: the name can't be one, or no file is readable.
    """
    if not NAME.fullmatch(name):
        rule = "An import's name must be lower case letters, digits, - and _."
        raise ConfigError(f"{rule} Received: {name!r}. Correct it.")
    for repo in (BULK, LABELS):
        store.ensure(repo)
    manifest = _manifest(store, name)
    known, failed, sent = dict(manifest), list[Failed](), 0
    work = partial(_clean, source.name, limits, name)
    batch: list[_Sent] = []
    for done in spread(work, [(row, manifest.get(row.file)) for row in rows], processes):
        report()
        if isinstance(done, Failed):
            failed.append(done)
        elif isinstance(done, _Sent):
            batch.append(done)
            if len(batch) >= BATCH or sum(len(one.data) for one in batch) >= BATCH_BYTES:
                sent += _commit(store, name, batch, known)
                batch = []
    if batch:
        sent += _commit(store, name, batch, known)
    wanted = {row.file: row for row in rows}
    failures = {one.file for one in failed}
    here = {file: e for file, e in known.items() if file in wanted and file not in failures}
    if not here:
        first = f" The first: {failed[0].reason}" if failed else ""
        rule = "An import must have at least one readable image."
        raise ConfigError(f"{rule} Received: {len(rows)} files, none readable.{first}")
    removed = _remove(store, name, known, here)
    labelled = (
        (e.image_id, Row(e.unit, wanted[file].findings)) for file, e in sorted(here.items())
    )
    write_if_new(store, LABELS, f"/{name}.csv", table_of(labelled, source.labels))
    return Imported(
        images=len({e.path for e in here.values()}),
        sent=sent,
        removed=removed,
        failed=tuple(failed),
    )


def _path(name: str) -> str:
    return f"/imports/{name}.json"


def _manifest(store: Store, name: str) -> dict[str, Entry]:
    if not store.list(BULK, _path(name)):
        return {}
    return msgspec.json.decode(store.read(BULK, _path(name)), type=dict[str, Entry])


def _clean(
    source: str, limits: Limits, name: str, given: tuple[Labelled, Entry | None]
) -> _Sent | Failed | None:
    """Return the file to send; None if it is in already."""
    row, entry = given
    try:
        data = row.path.read_bytes()
        digest = sha256(data)
        if entry and (entry.sha256, entry.unit) == (digest, row.patient or entry.image_id):
            return None
        cleaned = load(source).clean(data, limits)
        unit = row.patient or cleaned.image_id
        if not archive.NAME.fullmatch(unit):
            rule = "A patient must be a pseudonym: letters, digits, - _ = and points."
            raise BadInput("patient", f"{rule} Received: {unit[:80]!r}. Correct labels.csv.")
    except (BadInput, OSError) as error:
        return Failed(row.file, str(error))
    path = Place(name, unit, cleaned.image_id).path(f".{archive.suffix(cleaned.data)}")
    return _Sent(row.file, Entry(path, digest, cleaned.image_id, unit), cleaned.data)


def _commit(store: Store, name: str, batch: Sequence[_Sent], known: dict[str, Entry]) -> int:
    known.update({one.file: one.entry for one in batch})
    files = {one.entry.path: one.data for one in batch}
    store.write(BULK, {**files, _path(name): msgspec.json.encode(known)})
    return len(files)


def _remove(store: Store, name: str, known: dict[str, Entry], here: dict[str, Entry]) -> int:
    kept = {entry.path for entry in here.values()}
    there = set(store.list(BULK, f"/data/{name}"))
    stale = sorted(there - kept)
    if stale or known.keys() != here.keys():
        store.write(BULK, {_path(name): msgspec.json.encode(here)}, remove=stale)
    return len(stale)


def write_if_new(store: Store, repo: str, path: str, data: bytes) -> None:
    """Commit a file, unless it is there as it is."""
    if not store.list(repo, path) or store.read(repo, path) != data:
        store.write(repo, {path: data})
