"""fsck: whether all that the database names is on the disk, and is what it was."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from services.version_store.blobs import HASH, Blobs
from services.version_store.database import Sql


def check(sql: Sql, blobs: Blobs) -> Iterator[str]:
    """Yield a sentence for each fault; none where all is well."""
    for (text,) in sql.execute("PRAGMA integrity_check"):
        if text != "ok":
            yield f"the database is damaged: {text}"
    for row in sql.execute("PRAGMA foreign_key_check"):
        yield f"a row of {row[0]} names a row of {row[2]} that is not there"
    yield from _layers(sql)
    named = set()
    for layer, path, chunks in sql.execute("SELECT layer, path, chunks FROM entries"):
        for at in range(0, len(chunks), HASH):
            name = chunks[at : at + HASH]
            if name not in named:
                named.add(name)
                yield from _chunk(sql, blobs, name, f"{path} in layer {layer}")


def _layers(sql: Sql) -> Iterator[str]:
    query = (
        "SELECT c.id, s.value FROM commits c, json_each(c.stack) s"
        " WHERE s.value NOT IN (SELECT key FROM layers)"
    )
    for commit, layer in sql.execute(query):
        yield f"commit {commit} names layer {layer}, which is not there"


def _chunk(sql: Sql, blobs: Blobs, name: bytes, used_by: str) -> Iterator[str]:
    try:
        data = blobs.read(sql, name)
    except OSError as error:
        yield f"{error} (used by {used_by})"
        return
    if hashlib.sha256(data).digest() != name:
        yield f"chunk {name.hex()} has other bytes than it had (used by {used_by})"
