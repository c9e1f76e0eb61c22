"""The messages that come by the thousand, coded by hand.

betterproto takes 0.1 to 0.3 ms for each of them, which is most of the time of a long stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from pachyderm_sdk.api import pfs

from chexnet.adapters.pachyderm.wire import count, field, fields

DATUM = field(3, b"default")  # Of a pfs.File that no worker of Pachyderm has written.


class Piece(NamedTuple):
    """An AddFile that brings its bytes along."""

    path: str
    data: bytes | memoryview  # Part of the message: a copy of 20 MiB costs.


class Deletion(NamedTuple):
    """A DeleteFile."""

    path: str


ModifyRequest: TypeAlias = Piece | Deletion | pfs.ModifyFileRequest


def modify_request(data: bytes) -> ModifyRequest:
    """Return one message of a ModifyFile stream; what is rare, as the SDK has it."""
    [(number, body), *more] = fields(memoryview(data)) or [(0, memoryview(b""))]
    if not more and number == 3:
        return Deletion(str(dict(fields(body)).get(1, b""), "utf-8"))
    if not more and number == 2:
        told = dict(fields(body))
        if 4 not in told:
            raw = dict(fields(memoryview(told.get(3, b"")))).get(1, b"")
            return Piece(str(told.get(1, b""), "utf-8"), raw)
    parsed: pfs.ModifyFileRequest = pfs.ModifyFileRequest().parse(data)
    return parsed


def file_infos(
    commit: pfs.Commit, committed: bytes
) -> Callable[[str, pfs.FileType, int, bytes], bytes]:
    """Return what encodes the FileInfo of a path, type, size and hash in `commit`.

    Args:
        commit: the same for all of them, so it is encoded once.
        committed: a FileInfo on the wire that has only that field; empty for an open commit.
    """
    owner = field(1, bytes(commit))

    def encode(path: str, kind: pfs.FileType, size: int, digest: bytes) -> bytes:
        datum = DATUM if kind == pfs.FileType.FILE else b""
        file = field(1, owner + field(2, path.encode()) + datum)
        amount = count(4, size)
        head = file + count(2, int(kind))
        return head + committed + amount + field(5, digest)

    return encode


def datum_info(name: str, infos: Iterable[bytes]) -> bytes:
    """Return the DatumInfo of an id and the FileInfo of its parts, all on the wire."""
    datum = field(1, field(2, name.encode()))
    return datum + b"".join(field(5, info) for info in infos)


def pieces(messages: Iterator[bytes]) -> Iterator[bytes]:
    """Yield each as an encoded BytesValue."""
    for data in messages:
        yield field(1, data)
