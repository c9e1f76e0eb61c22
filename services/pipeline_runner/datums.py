"""Datums as the server lists them, and the hash that says whether one was done before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pachyderm_sdk.api import pfs, pps

from chexnet.adapters.pachyderm import specs
from chexnet.adapters.pachyderm.connection import Connection
from chexnet.adapters.pachyderm.wire import fields, number

LIST = "/pps_v2.API/ListDatum"


class Part(NamedTuple):
    """One input's file or directory in a datum."""

    name: str  # Of the input.
    repo: str
    commit: str
    path: str
    hash: bytes
    folder: bool
    file: bytes  # The same as pfs.File, on the wire: it is sent back to get the contents.


class Datum(NamedTuple):
    """A unit of work."""

    id: str
    parts: tuple[Part, ...]
    hash: str

    def __str__(self) -> str:
        return " x ".join(f"{part.repo}:{part.path}" for part in self.parts)


def listed(at: Connection, job: pps.JobInfo) -> Iterator[Datum]:
    """Yield the datums of a job's input."""
    given = job.details.input
    names = [(each.repo, each.name) for each in specs.inputs(given)]
    names += [(each.repo, each.name) for each in specs.crons(given)]
    call = at.client._channel.unary_stream(LIST, bytes, bytes)
    for data in call(pps.ListDatumRequest(input=given)):
        yield parse(data, names, job.details.salt)


def parse(data: bytes, names: Iterable[tuple[str, str]], salt: str) -> Datum:
    """Return the datum that a DatumInfo on the wire tells.

    Args:
        data: the message.
        names: repo and name of each input, in the order of the spec.
        salt: of the pipeline's version.
    """
    left, id_, parts = list(names), "", []
    for field, content in fields(memoryview(data)):
        if field == 1:  # Datum
            id_ = str(dict(fields(content)).get(2, b""), "utf-8")
        elif field == 5:  # FileInfo
            parts.append(_part(content, left))
    return Datum(id_, tuple(parts), hashed(salt, parts))


def _part(info: memoryview, left: list[tuple[str, str]]) -> Part:
    """Return a part; its input is the next one, in order, that reads its repo."""
    told = dict(fields(info))
    file = dict(fields(told[1]))
    commit = dict(fields(file[1]))
    owner = commit.get(3) or dict(fields(commit[1]))[1]  # An older server names it in the branch.
    repo = str(dict(fields(owner))[1], "utf-8")
    found = next(each for each in left if each[0] == repo)
    left.remove(found)
    return Part(
        name=found[1],
        repo=repo,
        commit=str(commit[2], "utf-8"),
        path=str(file[2], "utf-8"),
        hash=bytes(told.get(5, b"")),
        folder=number(info, 2) == pfs.FileType.DIR,
        file=bytes(told[1]),
    )


def hashed(salt: str, parts: Iterable[Part]) -> str:
    """Return the hash of all that decides a datum's output: salt, names, paths and contents."""
    digest = hashlib.sha256()
    for part in parts:
        texts = (salt, part.name, part.repo, part.path)
        for data in (*(text.encode() for text in texts), part.hash):
            digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
