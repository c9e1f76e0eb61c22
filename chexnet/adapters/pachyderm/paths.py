"""Which paths a repo takes, in the words of Pachyderm's src/internal/storage/paths.go (2.11)."""

from __future__ import annotations

import re

_PRINTABLE = re.compile(r"[ -~]+")
_GLOBBING = re.compile(r"[*?[\]{}!()@+^]")


def wrong(path: str) -> str | None:
    """Return why no file can lie at `path`; None where one can."""
    if not _PRINTABLE.fullmatch(path):
        return f"path ({path}) invalid: only printable ASCII characters allowed"
    if found := _GLOBBING.search(path):
        return f"path ({path}) invalid: globbing character ({found[0]}) not allowed in path"
    if {".", ".."} & set(path.split("/")):
        return f"path ({path}) invalid: relative file paths are not allowed"
    return None
