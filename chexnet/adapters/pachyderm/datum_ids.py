"""A datum's id, as it is made of its files: who has it can tell which inputs they are of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def key(*texts: str) -> bytes:
    """Return what stands for one file: its input's name, repo and branch, and its path."""
    return b"".join(data + len(data).to_bytes(8, "big") for data in map(str.encode, texts))


def identity(keys: Iterable[bytes]) -> str:
    """Return the id of the datum of these files."""
    digest = hashlib.blake2b(digest_size=32)
    for each in keys:
        digest.update(each)
    return digest.hexdigest()
