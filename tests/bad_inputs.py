"""Files that must be refused, made here: the ways in which real files are bad."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import data_store
import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset

DICOM_FILES = Path(next(iter(data_store.__path__))) / "data"


def png(side: int = 64, mode: str = "L", **save: object) -> bytes:
    grey = np.add.outer(np.arange(side), np.arange(side)).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(grey).convert(mode).save(out, "PNG", **save)
    return out.getvalue()


def jpeg(mode: str = "L") -> bytes:
    out = io.BytesIO()
    Image.new(mode, (64, 64), 99).save(out, "JPEG")
    return out.getvalue()


def film() -> Dataset:
    """A real chest film with a name, a birth date and private tags (pydicom-data's RG1)."""
    return pydicom.dcmread(DICOM_FILES / "RG1_UNCR.dcm")


def dicom(change: Callable[[Dataset], object] = lambda _: None) -> bytes:
    """A small film, changed."""
    dataset = film()
    dataset.PixelData = dataset.pixel_array[:64, :64].tobytes()
    dataset.Rows = dataset.Columns = 64
    change(dataset)
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + check


def header(columns: int, rows: int) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0))


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def _encrypted() -> bytes:
    """A zip whose file says that it is encrypted, in both of its headers."""
    data = bytearray(zipped(a=png()))
    for magic, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(magic) + flags] |= 1
    return bytes(data)


def _lzma() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a", png())
    return out.getvalue()


def _endless() -> bytes:
    """A zip whose end names a directory of 800 MB."""
    data = bytearray(zipped(a=png()))
    struct.pack_into("<I", data, len(data) - 10, 800_000_000)
    return bytes(data)


def _zip64() -> bytes:
    """A zip whose ZIP64 locator may point to a directory of any size."""
    data = zipped(a=png())
    return data[:-22] + b"PK\6\7" + bytes(16) + data[-22:]


def _animated() -> bytes:
    out = io.BytesIO()
    frames = [Image.new("L", (32, 32), grey) for grey in (0, 255)]
    frames[0].save(out, "PNG", save_all=True, append_images=frames[1:])
    return out.getvalue()


def _wrong_crc() -> bytes:
    data = bytearray(png())
    data[data.index(b"IDAT") + 10] ^= 0xFF
    return bytes(data)


def _frames(dataset: Dataset) -> None:
    dataset.NumberOfFrames = 2
    dataset.PixelData = dataset.PixelData * 2


SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Name → the file and the error class that the gateway and the DLQ give it.
BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "an empty file": (lambda: b"", "format"),
    "a text file": (lambda: b"Dear colleague, please find the film attached.", "format"),
    "a text file with a PNG's first bytes": (lambda: SIGNATURE + b"not at all", "unreadable"),
    "a PDF": (lambda: b"%PDF-1.7\n1 0 obj\n<< >>\nendobj\n", "format"),
    "an SVG": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "format"),
    "a TIFF": (lambda: b"II*\x00" + bytes(64), "format"),
    "a truncated PNG": (lambda: png()[:-40], "unreadable"),
    "a PNG with a wrong checksum": (_wrong_crc, "unreadable"),
    "an animated PNG": (_animated, "animated"),
    "a 40,000 x 40,000 header": (
        lambda: SIGNATURE + header(40_000, 40_000) + chunk(b"IDAT", b"") + chunk(b"IEND", b""),
        "too-many-pixels",
    ),
    "a decompression bomb": (
        lambda: (
            SIGNATURE
            + header(20_000, 20_000)
            + chunk(b"IDAT", zlib.compress(bytes(20_001 * 20_000), 9))
            + chunk(b"IEND", b"")
        ),
        "too-many-pixels",
    ),
    "a text chunk that swells": (
        lambda: (
            SIGNATURE
            + header(8, 8)
            + chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(64 * 2**20)))
            + chunk(b"IDAT", b"")
            + chunk(b"IEND", b"")
        ),
        "unreadable",
    ),
    "a broken JPEG": (lambda: jpeg()[:200], "unreadable"),
    "a CMYK JPEG": (lambda: jpeg("CMYK"), "colour-model"),
    "a CT": (lambda: dicom(lambda d: setattr(d, "Modality", "CT")), "not-an-xray"),
    "a DICOM without pixels": (lambda: dicom(lambda d: d.pop("PixelData")), "no-pixels"),
    "a truncated DICOM": (lambda: dicom()[:-3000], "unreadable"),
    "a DICOM of two frames": (lambda: dicom(_frames), "frames"),
    "a DICOM with words burned in": (
        lambda: dicom(lambda d: setattr(d, "BurnedInAnnotation", "YES")),
        "burned-in",
    ),
    "a DICOM whose pixels become no number": (
        lambda: dicom(lambda d: d.update({"RescaleSlope": "nan", "RescaleIntercept": "0"})),
        "not-finite",
    ),
    "a DICOM whose header claims 60,000 x 60,000": (
        lambda: dicom(lambda d: d.update({"Rows": 60_000, "Columns": 60_000})),
        "too-many-pixels",
    ),
    "a DICOM in palette colours": (
        lambda: dicom(lambda d: setattr(d, "PhotometricInterpretation", "PALETTE COLOR")),
        "colour-model",
    ),
    "a DICOM with a nonsense rest": (lambda: bytes(128) + b"DICM" + b"\xff" * 200, "not-an-xray"),
}
# Only the gateway takes archives.
BAD_ARCHIVES: dict[str, tuple[Callable[[], bytes], str]] = {
    "an empty zip": (zipped, "archive"),
    "a truncated zip": (lambda: zipped(a=png())[:-30], "archive"),
    "a zip in a zip": (lambda: zipped(a=zipped(b=png())), "nested"),
    "a zip with too many files": (
        lambda: zipped(**{f"f{n}": b"x" for n in range(1001)}),
        "archive",
    ),
    "an encrypted zip": (_encrypted, "encrypted"),
    "a zip by LZMA": (_lzma, "archive"),
    "a zip with a directory of 800 MB": (_endless, "archive"),
    "a zip with a ZIP64 directory": (_zip64, "archive"),
    "a zip bomb": (lambda: zipped(a=bytes(33 * 2**20)), "too-large"),
}
