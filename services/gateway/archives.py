"""Archives: the files in a zip, under limits that hold whatever its headers claim."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Iterator
from typing import IO

from chexnet.data.zips import taken
from chexnet.errors import BadInput
from chexnet.inputs.base import Limits

MAGICS = (b"PK\x03\x04", b"PK\x05\x06")  # The second of an empty one.
ENCRYPTED = 0x1
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # LZMA's header names its memory, to 4 GiB.
END, ZIP64 = b"PK\x05\x06", b"PK\x06\x07"
END_BYTES = 22 + 2**16  # With the longest comment; the locator of a ZIP64 is 20 before.
ENTRY_BYTES = 1024  # Of a file in the directory, on average.


def members(archive: IO[bytes], limits: Limits) -> Iterator[bytes | BadInput]:
    """Yield each file of a zip, or why it can't be taken; no name or path of it is used.

    Raises:
        BadInput: `archive` if the zip as a whole can't be taken.
    """
    _check_directory(archive, limits)
    try:
        opened = zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        rule = "A zip must be whole and valid."
        raise BadInput(
            "archive", f"{rule} Received: {type(error).__name__}. Make it again."
        ) from None
    with opened:
        files = taken(opened)
        if not 1 <= len(files) <= limits.archive_members:
            rule = f"A zip must have 1 to {limits.archive_members:,} files."
            raise BadInput("archive", f"{rule} Received: {len(files):,}. Split it.")
        left = limits.archive_bytes
        for info in files:
            try:
                data = _one(opened, info, limits.encoded_bytes)
            except BadInput as error:
                yield error
                continue
            left -= len(data)
            if left < 0:
                rule = f"A zip may unpack to {limits.archive_bytes:,} bytes."
                raise BadInput("archive", f"{rule} Received: more. Send the rest in another.")
            yield data


def _check_directory(archive: IO[bytes], limits: Limits) -> None:
    """Refuse a directory that would fill the memory: zipfile reads all of it at once."""
    size = archive.seek(0, os.SEEK_END)
    archive.seek(max(0, size - END_BYTES - 20))
    tail = archive.read()
    at = tail.rfind(END)
    listed = struct.unpack_from("<I", tail, at + 12)[0] if 0 <= at <= len(tail) - 22 else 0
    if listed > limits.archive_members * ENTRY_BYTES or tail[max(0, at - 20) :].startswith(ZIP64):
        rule = f"A zip must have 1 to {limits.archive_members:,} files."
        raise BadInput("archive", f"{rule} Received: a list of far more. Split it.")


def _one(opened: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    if info.flag_bits & ENCRYPTED:
        rule = "A file in a zip must not be encrypted."
        raise BadInput("encrypted", f"{rule} Received: one that is. Make the zip without password.")
    if info.compress_type not in METHODS:
        rule = "A file in a zip must be deflated, as zip programs do, or stored."
        received = f"Received: compression method {info.compress_type}."
        raise BadInput("archive", f"{rule} {received} Make it again.")
    try:
        with opened.open(info) as member:
            data = member.read(limit + 1)
    except Exception as error:  # Of a broken member: zlib, CRC, an unknown method.
        rule = "A file in a zip must be whole."
        raise BadInput(
            "archive", f"{rule} Received: {type(error).__name__}. Make it again."
        ) from None
    if len(data) > limit:
        rule = f"A file in a zip may have at most {limit:,} bytes."
        raise BadInput("too-large", f"{rule} Received: one with more. Export it as 8-bit PNG.")
    if data.startswith(MAGICS):
        rule = "A zip must hold images. Received: another zip in it."
        raise BadInput("nested", f"{rule} Unpack the inner one first.")
    return data
