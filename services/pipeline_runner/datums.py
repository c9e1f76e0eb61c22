"""Datums as the server lists them, and the hash that says whether one was done before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pachyderm_sdk.api import pfs, pps

from chexnet.adapters.pachyderm import specs
from chexnet.adapters.pachyderm.connection import Connection


class Part(NamedTuple):
    """One input's file or directory in a datum."""

    name: str  # Of the input.
    file: pfs.File
    hash: bytes
    folder: bool

    @property
    def path(self) -> str:
        """Its path in the repo."""
        return str(self.file.path)


class Datum(NamedTuple):
    """A unit of work."""

    id: str
    parts: tuple[Part, ...]
    hash: str

    def __str__(self) -> str:
        return " x ".join(f"{part.file.commit.repo.name}:{part.path}" for part in self.parts)


def listed(at: Connection, job: pps.JobInfo) -> Iterator[Datum]:
    """Yield the datums of a job's input."""
    given = job.details.input
    names = [(each.repo, each.name) for each in specs.inputs(given)]
    for info in at.client.pps.list_datum(input=given):
        parts = tuple(_parts(names, info.data))
        yield Datum(info.datum.id, parts, hashed(job.details.salt, parts))


def _parts(names: list[tuple[str, str]], infos: Iterable[pfs.FileInfo]) -> Iterator[Part]:
    """Give each file the name of its input: the next one, in order, that reads its repo."""
    left = list(names)
    for info in infos:
        repo = info.file.commit.repo.name
        found = next(each for each in left if each[0] == repo)
        left.remove(found)
        yield Part(found[1], info.file, info.hash, info.file_type == pfs.FileType.DIR)


def hashed(salt: str, parts: Iterable[Part]) -> str:
    """Return the hash of all that decides a datum's output: salt, names, paths and contents."""
    digest = hashlib.sha256()
    for part in parts:
        texts = (salt, part.name, part.file.commit.repo.name, part.path)
        for data in (*(text.encode() for text in texts), part.hash):
            digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
