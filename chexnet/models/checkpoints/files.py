"""The files that checkpoints come in: PyTorch's zip, its older pickles in a row, and safetensors.

Source of both layouts: torch/serialization.py of PyTorch 1.13 (`_save`, `_legacy_save`).
"""

from __future__ import annotations

import io
import mmap
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, deserialize

from chexnet.errors import BadInput
from chexnet.models.checkpoints import pickled
from chexnet.models.checkpoints.tensors import TYPES, Storage, Tensor

LARGEST = 2**30  # Bytes. A DenseNet-121 with Adam's moments has 84 MB.
PICKLE = 2**26  # Bytes of a zip's pickle, which holds names and shapes only.
MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Yield what a checkpoint holds, as `pickled.load` does; tensors can be read in the body.

    Args:
        path: `.pth`, `.pt` or `.pth.tar` of any PyTorch since 0.1.10, or `.safetensors`. What it is
            is seen by its content.

    Raises:
        BadInput: it is too large, damaged, of no such kind, or holds what is not allowed.
    """
    size = path.stat().st_size
    if not 16 <= size <= LARGEST:
        rule = f"A checkpoint must have 16 to {LARGEST:,} bytes."
        raise BadInput("too-large", f"{rule} Received: {size:,}. Save the state_dict() alone.")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        if mapped[:4] == b"PK\3\4":
            with _zip(path) as tree:
                yield tree
        elif mapped[8:9] == b"{" and struct.unpack("<Q", mapped[:8])[0] < size:
            yield _safetensors(mapped[:])
        elif mapped[:1] == b"\x80":
            yield _in_a_row(mapped)
        else:
            raise _unknown("a tar archive" if mapped[257:262] == b"ustar" else "something else")


def _unknown(received: str) -> BadInput:
    rule = "A checkpoint must be PyTorch's (.pth, .pt, .pth.tar) or safetensors."
    todo = "Save it with torch.save(model.state_dict(), file) where it was made."
    return BadInput("format", f"{rule} Received: {received}. {todo}")


def _damaged(received: object) -> BadInput:
    rule = "A checkpoint must be whole."
    return BadInput("checkpoint", f"{rule} Received: {received}. Get the file again.")


@contextmanager
def _zip(path: Path) -> Iterator[Any]:
    """PyTorch 1.6 and later: <name>/data.pkl, <name>/data/<key>, and which byte order."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield _of_archive(archive)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError) as error:
        raise _damaged(error) from error


def _of_archive(archive: zipfile.ZipFile) -> Any:
    members = {info.filename: info for info in archive.infolist()}
    roots = [name.removesuffix("data.pkl") for name in members if name.endswith("/data.pkl")]
    if len(roots) != 1 or f"{roots[0]}constants.pkl" in members:
        raise _unknown("a zip archive of another kind, such as TorchScript")
    root = roots[0]

    def member(name: str, most: int) -> bytes:
        info = members.get(f"{root}{name}")
        if info is None:
            raise _damaged(f"none of its parts is {name}")
        # PyTorch compresses nothing: what is compressed may be a bomb.
        if info.compress_type != zipfile.ZIP_STORED or info.file_size > most:
            raise _damaged(f"its part {name} is compressed, or has {info.file_size:,} bytes")
        return archive.read(info)

    if f"{root}byteorder" in members and member("byteorder", 16) != b"little":
        raise _unknown("one of a machine that is big endian")

    def read(storage: Storage) -> bytes:
        data = member(f"data/{storage.key}", storage.size)
        if len(data) != storage.size:
            raise _damaged(f"{len(data):,} of {storage.size:,} bytes of part {storage.key}")
        return data

    return pickled.load(io.BytesIO(member("data.pkl", PICKLE)), read).value


def _in_a_row(mapped: mmap.mmap) -> Any:
    """PyTorch before 1.6: four pickles (magic, protocol, machine, content), keys, storages."""
    places: dict[str, tuple[int, int]] = {}  # Key → where its bytes start, and how many numbers.

    def read(storage: Storage) -> bytes:
        start, elements = places.get(storage.key, (0, -1))
        data = mapped[start : start + storage.size]
        if elements != storage.elements or len(data) != storage.size:
            raise _damaged(f"no {storage.elements:,} numbers at storage {storage.key}")
        return data

    for sign in (MAGIC, PROTOCOL):
        if pickled.load(mapped, read).value != sign:
            raise _unknown("a pickle that torch.save has not written")
    machine = pickled.load(mapped, read).value
    if type(machine) is not dict or machine.get("little_endian") is not True:
        raise _unknown("one of a machine that is big endian")
    tree, storages = pickled.load(mapped, read)
    keys = pickled.load(mapped, read).value
    if type(keys) is not list or not all(type(key) is str and key in storages for key in keys):
        raise _damaged("a list of storages that are not its own")
    start = mapped.tell()
    for key in keys:
        head = mapped[start : start + 8]
        if len(head) < 8:
            raise _damaged(f"no storage {key}")
        places[key] = (start + 8, struct.unpack("<q", head)[0])
        start += 8 + storages[key].size
    return tree


def _safetensors(data: bytes) -> dict[str, Tensor]:
    try:
        found = dict(deserialize(data))  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise _damaged(error) from error
    return {
        name: Tensor(part["dtype"], tuple(part["shape"]), partial(bytes, part["data"]))
        for name, part in found.items()
        if part["dtype"] in TYPES
    }
