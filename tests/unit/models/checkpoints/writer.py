"""Writes checkpoints as torch.save does, without torch: pickle's opcodes, one by one."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

STORAGES = {"<f4": "Float", "<f8": "Double", "<f2": "Half", "<i8": "Long", "<u2": "BFloat16"}
MAGIC = 0x1950A86A20F9469CFC6C
Storages = dict[str, np.ndarray]


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    if 0 <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def items(value: Mapping[str, Any], storages: Storages) -> bytes:
    return b"(" + b"".join(text(k) + encoded(v, storages) for k, v in value.items()) + b"u"


def tensor(array: np.ndarray, storages: Storages) -> bytes:
    """A view of its storage; one that is not in C order has its strides."""
    key = str(len(storages))
    storages[key] = np.ascontiguousarray(array.T if array.flags.f_contiguous else array)
    kind = f"{STORAGES[array.dtype.str]}Storage"
    where = text("storage") + name("torch", kind) + text(key) + text("cpu") + number(array.size)
    shape = b"(" + b"".join(number(n) for n in array.shape) + b"t"
    strides = b"(" + b"".join(number(n // array.itemsize) for n in array.strides) + b"t"
    hooks = name("collections", "OrderedDict") + b")R"
    view = b"(" + where + b"tQ" + number(0) + shape + strides + b"\x89" + hooks
    return name("torch._utils", "_rebuild_tensor_v2") + b"(" + view + b"tR"


def encoded(value: Any, storages: Storages) -> bytes:
    match value:
        case np.ndarray():
            return tensor(value, storages)
        case str():
            return text(value)
        case int():
            return number(value)
        case float():
            return b"G" + struct.pack(">d", value)
        case list():
            return b"](" + b"".join(encoded(v, storages) for v in value) + b"e"
        case dict():
            made = name("collections", "OrderedDict") + b")R"
            return made + (items(value, storages) if value else b"")
    raise TypeError(type(value))


def pickled(value: Any, storages: Storages | None = None) -> bytes:
    return b"\x80\x02" + encoded(value, {} if storages is None else storages) + b"."


def zipped(path: Path, value: Any, *, compress: int = zipfile.ZIP_STORED) -> Path:
    """As PyTorch 1.6 and later write it."""
    storages: Storages = {}
    data = pickled(value, storages)
    raw(path, data, {key: array.tobytes() for key, array in storages.items()}, compress)
    return path


def raw(
    path: Path, data: bytes, parts: Mapping[str, bytes], compress: int = zipfile.ZIP_STORED
) -> Path:
    with zipfile.ZipFile(path, "w", compress) as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/version", "3\n")
        for key, part in parts.items():
            archive.writestr(f"archive/data/{key}", part)
    return path


def in_a_row(path: Path, value: Any) -> Path:
    """As PyTorch before 1.6 wrote it."""
    storages: Storages = {}
    content = pickled(value, storages)
    out = io.BytesIO()
    machine = b"\x80\x02}" + text("little_endian") + b"\x88s."
    for part in (pickled(MAGIC), pickled(1001), machine, content, pickled([*storages])):
        out.write(part)
    for array in storages.values():
        out.write(struct.pack("<q", array.size) + array.tobytes())
    path.write_bytes(out.getvalue())
    return path
