"""The messages that come by the thousand, coded by hand.

betterproto takes 0.1 to 0.3 ms for each of them, which is most of the time of a long stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from pachyderm_sdk.api import pfs

_VARINT, _BYTES = 0, 2


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
    [(number, body), *more] = _fields(memoryview(data)) or [(0, b"")]
    if not more and number == 3:
        return Deletion(str(dict(_fields(memoryview(body))).get(1, b""), "utf-8"))
    if not more and number == 2:
        fields = dict(_fields(memoryview(body)))
        if 4 not in fields:
            raw = dict(_fields(memoryview(fields.get(3, b"")))).get(1, b"")
            return Piece(str(fields.get(1, b""), "utf-8"), raw)
    parsed: pfs.ModifyFileRequest = pfs.ModifyFileRequest().parse(data)
    return parsed


def _fields(data: memoryview) -> list[tuple[int, memoryview | bytes]]:
    """Return the numbers and contents of a message's fields that have a length."""
    found: list[tuple[int, memoryview | bytes]] = []
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        value, at = _varint(data, at)
        if key & 7 == _BYTES:
            found.append((key >> 3, data[at : at + value]))
            at += value
        elif key & 7 != _VARINT:
            raise ValueError(f"a file request has no field of wire type {key & 7}")
    return found


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _number(value: int) -> bytes:
    made = bytearray()
    while value >= 0x80:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def _field(number: int, data: bytes) -> bytes:
    return _number(number << 3 | _BYTES) + _number(len(data)) + data


def file_infos(
    commit: pfs.Commit, committed: bytes
) -> Callable[[str, pfs.FileType, int, bytes], bytes]:
    """Return what encodes the FileInfo of a path, type, size and hash in `commit`.

    Args:
        commit: the same for all of them, so it is encoded once.
        committed: a FileInfo on the wire that has only that field; empty for an open commit.
    """
    owner = _field(1, bytes(commit))

    def encode(path: str, kind: pfs.FileType, size: int, digest: bytes) -> bytes:
        file = _field(1, owner + _field(2, path.encode()))
        amount = _number(4 << 3 | _VARINT) + _number(size) if size else b""
        head = file + _number(2 << 3 | _VARINT) + _number(int(kind))
        return head + committed + amount + _field(5, digest)

    return encode


def datum_info(name: str, infos: Iterable[bytes]) -> bytes:
    """Return the DatumInfo of an id and the FileInfo of its parts, all on the wire."""
    datum = _field(1, _field(2, name.encode()))
    return datum + b"".join(_field(5, info) for info in infos)


def pieces(messages: Iterator[bytes]) -> Iterator[bytes]:
    """Yield each as an encoded BytesValue."""
    for data in messages:
        yield _field(1, data)
