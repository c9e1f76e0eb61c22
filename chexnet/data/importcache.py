"""What an import remembers of files that it has read: which image each is, while it is unchanged.

It stays on this machine: file names can be patients' names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec
from msgspec import Struct


class Seen(Struct, frozen=True, array_like=True):
    """What a file was when it was read."""

    stamp: tuple[int, int]
    image_id: str
    suffix: str  # Of the cleaned file.


class _Line(Struct, frozen=True, array_like=True):
    file: str
    seen: Seen


class Cache:
    """One line for each file that was read; to lose it costs time, and nothing else.

    Args:
        file: where the lines are kept, readable for its owner only.
    """

    def __init__(self, file: Path) -> None:
        self._known = {line.file: line.seen for line in _lines(file)}
        file.parent.mkdir(parents=True, exist_ok=True)
        self._out = os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb")
        self._out.write(b"\n")  # After what a crash may have left half written.

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.close()

    def find(self, file: Path) -> Seen | None:
        """Return what a file is, if it was read before and has not changed since."""
        seen = self._known.get(str(file.absolute()))
        try:
            return seen if seen is not None and seen.stamp == stamp(file) else None
        except OSError:
            return None

    def last(self, file: Path) -> Seen | None:
        """Return what a file was when it was last read, whatever has become of it."""
        return self._known.get(str(file.absolute()))

    def add(self, file: Path, seen: Seen) -> None:
        """Remember what a file is."""
        line = _Line(str(file.absolute()), seen)
        self._out.write(msgspec.json.encode(line) + b"\n")


def stamp(file: Path) -> tuple[int, int]:
    """Return what changes when a file does, as in git: its size and its time of change."""
    found = file.stat()
    return found.st_size, found.st_mtime_ns


def _lines(file: Path) -> Iterator[_Line]:
    if not file.exists():
        return
    for line in file.read_bytes().splitlines():
        try:
            yield msgspec.json.decode(line, type=_Line)
        except msgspec.DecodeError:  # Empty, or cut off.
            continue
