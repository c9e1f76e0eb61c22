"""Trees of files as stacks of layers: a commit costs what it changes, not what it holds.

The topmost row of a path is what the tree holds. So that stacks stay short, the topmost layers are
merged when eight of one magnitude have gathered: a path is copied once for each magnitude that its
repo grows by, and a tree of n paths has some 8 log8(n) layers. Finished layers never change, and
many commits share them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from services.version_store import names
from services.version_store.blobs import Content
from services.version_store.database import Sql

GATHER = 8

# SQLite takes the other columns from the row that has the maximum.
_TOPMOST = """
    SELECT e.path, e.size, e.hash, e.chunks, MAX(s.key)
    FROM json_each(:stack) s CROSS JOIN entries e ON e.layer = s.value
"""
_BETWEEN = f"{_TOPMOST} AND e.path >= :first AND e.path < :end GROUP BY e.path"


def new_layer(sql: Sql, repo: int) -> int:
    """Return an empty layer."""
    return int(sql.execute("INSERT INTO layers (repo) VALUES (?)", (repo,)).lastrowid or 0)


def find(sql: Sql, stack: Sequence[int], path: str) -> Content | None:
    """Return what `path` holds; None where there is no such file."""
    row = sql.execute(
        "SELECT e.size, e.hash, e.chunks FROM json_each(?) s"
        " CROSS JOIN entries e ON e.layer = s.value AND e.path = ? ORDER BY s.key DESC LIMIT 1",
        (json.dumps(stack), path),
    ).fetchone()
    return Content(*row) if row and row[1] is not None else None


def walk(sql: Sql, stack: Sequence[int], directory: str = "/") -> Iterator[tuple[str, Content]]:
    """Yield the files below `directory`, sorted."""
    first, end = names.below(directory)
    rows = sql.execute(
        f"SELECT path, size, hash, chunks FROM ({_BETWEEN}) WHERE hash IS NOT NULL ORDER BY path",
        {"stack": json.dumps(stack), "first": first, "end": end},
    )
    for path, *content in rows:
        yield path, Content(*content)


def holds(sql: Sql, stack: Sequence[int], directory: str) -> bool:
    """Say whether there is a file below `directory`."""
    first, end = names.below(directory)
    row = sql.execute(
        f"SELECT 1 FROM ({_BETWEEN}) WHERE hash IS NOT NULL LIMIT 1",
        {"stack": json.dumps(stack), "first": first, "end": end},
    ).fetchone()
    return row is not None


def is_empty(sql: Sql, stack: Sequence[int]) -> bool:
    """Say whether no layer has any row."""
    query = "SELECT 1 FROM json_each(?) s CROSS JOIN entries e ON e.layer = s.value LIMIT 1"
    return sql.execute(query, (json.dumps(stack),)).fetchone() is None


def put(sql: Sql, layer: int, changes: dict[str, Content | None]) -> None:
    """Write files, and deletions (None), into a layer that no finished commit has."""
    sql.executemany(
        "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?)",
        [(layer, path, *(made or (0, None, b""))) for path, made in changes.items()],
    )


def growth(sql: Sql, base: Sequence[int], diff: int) -> int:
    """Return by how many bytes `diff` makes the tree `base` larger."""
    added = sql.execute("SELECT SUM(size) FROM entries WHERE layer = ?", (diff,)).fetchone()[0]
    replaced = sql.execute(
        "SELECT SUM(size) FROM (SELECT e.size, e.hash, MAX(s.key) FROM entries d"
        " CROSS JOIN json_each(:stack) s CROSS JOIN entries e"
        " ON e.layer = s.value AND e.path = d.path WHERE d.layer = :diff GROUP BY d.path)",
        {"stack": json.dumps(base), "diff": diff},
    ).fetchone()[0]
    return (added or 0) - (replaced or 0)


def collision(sql: Sql, base: Sequence[int], diff: int) -> str | None:
    """Return a path that `diff` makes both a file and a directory; None if it makes none."""
    stack = [*base, diff]
    files = sql.execute(
        "SELECT path FROM entries WHERE layer = ? AND hash IS NOT NULL ORDER BY path", (diff,)
    ).fetchall()
    directories = {above for (path,) in files for above in names.ancestors(path)}
    for directory in sorted(directories - {"/"}):
        if find(sql, stack, directory):
            return directory
    suspects = sql.execute(
        "SELECT d.path FROM entries d WHERE d.layer = :diff AND d.hash IS NOT NULL AND EXISTS ("
        " SELECT 1 FROM json_each(:stack) s CROSS JOIN entries e ON e.layer = s.value"
        " AND e.path > d.path || '/' AND e.path < d.path || '0' AND e.hash IS NOT NULL)",
        {"diff": diff, "stack": json.dumps(base)},
    ).fetchall()
    return next((path for (path,) in suspects if holds(sql, stack, path)), None)


def finish(sql: Sql, repo: int, base: Sequence[int], diff: int) -> list[int]:
    """Return the stack of a commit that lays `diff` on `base`, merged where that is due."""
    rows = sql.execute("SELECT COUNT(*) FROM entries WHERE layer = ?", (diff,)).fetchone()[0]
    if not rows:
        return list(base)
    sql.execute("UPDATE layers SET rows = ? WHERE key = ?", (rows, diff))
    stack = [*base, diff]
    while (due := _due(sql, stack)) < len(stack):
        stack[due:] = [_merge(sql, repo, stack[due:], bottom=due == 0)]
    return stack


def _due(sql: Sql, stack: Sequence[int]) -> int:
    query = (
        "SELECT l.rows FROM json_each(?) s CROSS JOIN layers l ON l.key = s.value ORDER BY s.key"
    )
    sizes = [row[0] for row in sql.execute(query, (json.dumps(stack),))]
    magnitude = [len(f"{max(size, 1) - 1:o}") if size > 1 else 0 for size in sizes]
    start = len(stack)
    while start and magnitude[start - 1] <= magnitude[-1]:
        start -= 1
    return start if len(stack) - start >= GATHER else len(stack)


def _merge(sql: Sql, repo: int, run: Sequence[int], *, bottom: bool) -> int:
    layer = new_layer(sql, repo)
    kept = "WHERE hash IS NOT NULL" if bottom else ""  # Nothing lies below that could be deleted.
    made = sql.execute(
        "INSERT INTO entries SELECT :layer, path, size, hash, chunks"
        f" FROM ({_TOPMOST} GROUP BY e.path) {kept}",
        {"layer": layer, "stack": json.dumps(run)},
    )
    sql.execute("UPDATE layers SET rows = ? WHERE key = ?", (made.rowcount, layer))
    return layer


def fold(sql: Sql, lower: int, upper: int) -> None:
    """Put into `upper` what it does not change itself of the `lower` right below it."""
    sql.execute(
        "INSERT OR IGNORE INTO entries SELECT ?, path, size, hash, chunks"
        " FROM entries WHERE layer = ?",
        (upper, lower),
    )


def sweep(sql: Sql, repo: int) -> int:
    """Delete the layers of `repo` that no commit has any more; return the bytes of their files."""
    unused = (
        "SELECT key FROM layers WHERE repo = :repo"
        " EXCEPT SELECT diff FROM commits WHERE repo = :repo"
        " EXCEPT SELECT value FROM commits, json_each(stack) WHERE repo = :repo"
    )
    weighed = f"SELECT SUM(size) FROM entries WHERE layer IN ({unused})"
    size = sql.execute(weighed, {"repo": repo}).fetchone()[0]
    sql.execute(f"DELETE FROM entries WHERE layer IN ({unused})", {"repo": repo})
    sql.execute(f"DELETE FROM layers WHERE key IN ({unused})", {"repo": repo})
    return int(size or 0)
