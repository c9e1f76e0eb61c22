"""Datums as the server lists them, and the hash that says whether one was done before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pachyderm_sdk.api import pfs, pps

from chexnet.adapters.pachyderm.connection import BRANCH, Connection
from chexnet.adapters.pachyderm.wire import fields, number
from services.pipeline_runner.naming import Found, Leaf, Name, namer

LIST = "/pps_v2.API/ListDatum"


class Part(NamedTuple):
    """One input's file or directory in a datum."""

    name: str  # Of the input.
    repo: str
    branch: str  # That the input reads.
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
    given = listable(job.details.input)
    name = namer(given)
    call = at.client._channel.unary_stream(LIST, bytes, bytes)
    for data in call(pps.ListDatumRequest(input=given)):
        yield parse(data, name, job.details.salt)


def listable(given: pps.Input) -> pps.Input:
    """Return an input whose crons are the files of their ticks: pachd lists no cron's datums."""
    if given.cron.repo:
        ticks = pps.PfsInput(
            name=given.cron.name,
            project=given.cron.project,
            repo=given.cron.repo,
            repo_type="user",
            branch=BRANCH,
            commit=given.cron.commit,
            glob="/*",
        )
        return pps.Input(pfs=ticks)
    if given.pfs.repo:
        return given
    sets = {kind: getattr(given, kind) for kind in ("cross", "union", "join", "group")}
    return pps.Input(**{kind: [listable(each) for each in inner] for kind, inner in sets.items()})


def parse(data: bytes, name: Name, salt: str) -> Datum:
    """Return the datum that a DatumInfo on the wire tells.

    Args:
        data: the message.
        name: says which input each of its files is of.
        salt: of the pipeline's version.
    """
    id_, infos = "", []
    for field, content in fields(memoryview(data)):
        if field == 1:  # Datum
            id_ = str(dict(fields(content)).get(2, b""), "utf-8")
        elif field == 5:  # FileInfo
            infos.append(_file(content))
    leaves = name(id_, [found for found, _ in infos])
    parts = [_part(leaf, *info) for leaf, info in zip(leaves, infos, strict=True)]
    return Datum(id_, tuple(parts), hashed(salt, parts))


def _file(info: memoryview) -> tuple[Found, memoryview]:
    """Return where a FileInfo's file is, and the message."""
    file = dict(fields(dict(fields(info))[1]))
    commit = dict(fields(file[1]))
    texts = (dict(fields(commit[3]))[1], file[2])
    return Found(*(str(text, "utf-8") for text in texts)), info


def _part(leaf: Leaf, found: Found, info: memoryview) -> Part:
    told = dict(fields(info))
    return Part(
        name=leaf.name,
        repo=found.repo,
        branch=leaf.branch,
        commit=str(dict(fields(dict(fields(told[1]))[1]))[2], "utf-8"),
        path=found.path,
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
