"""PNG and JPEG without identity: what is read is the pixels, what is written is nothing else."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from chexnet.errors import BadInput

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
# Chunks that describe pixels. Any other may hold words, Exif or an application's data.
PNG_PIXELS = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB sBIT bKGD pHYs cICP hIST".split()
) | {
    b"acTL",  # Animations: refused for that.
    b"fcTL",
    b"fdAT",
}
PNG_WORDS = frozenset(b"tEXt zTXt iTXt eXIf tIME iCCP".split())
JPEG_WORDS = {0xFE, *range(0xE1, 0xEE), 0xEF}  # Comment, and application data but JFIF and Adobe.
GREY = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "I", "I;16", "I;16B", "I;16L"}

Image.MAX_IMAGE_PIXELS = None  # The limit is the site's, checked on the header in `grey`.


def grey(data: bytes, pixels: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Return the grey values [rows, columns] of a PNG or JPEG; colour and alpha are dropped.

    Args:
        data: the file.
        pixels: the most that an image may have; checked before decoding.

    Raises:
        BadInput: `too-many-pixels`, `animated`, `colour-model`, `unreadable`.
    """
    with readable("PNG or JPEG"):
        image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG"))
    columns, rows = image.size
    if columns * rows > pixels:
        rule = f"An image may have at most {pixels:,} pixels."
        received = f"Received: {rows:,} rows of {columns:,}."
        raise BadInput("too-many-pixels", f"{rule} {received} Export it smaller.")
    if getattr(image, "n_frames", 1) != 1:
        rule = "A file must hold one image. Received: an animation."
        raise BadInput("animated", f"{rule} Export its frames one by one.")
    if image.mode not in GREY:
        rule = "An image must be grey or RGB."
        raise BadInput(
            "colour-model", f"{rule} Received: {image.mode}. Export it as 8-bit grey PNG."
        )
    with readable("PNG or JPEG"):
        turned = ImageOps.exif_transpose(image)  # As a viewer turns it; afterwards nobody can.
        if turned.mode.startswith("I"):
            return np.asarray(turned).astype(np.uint16)
        return np.asarray(turned.convert("L"))


def encode(grey: NDArray[np.uint8] | NDArray[np.uint16], most: int | None = None) -> bytes:
    """Return a PNG of the grey values and nothing else, packed harder if above `most` bytes."""
    # Noise has no strings to find: runs alone make films a fifth smaller in the same time.
    out = _png(grey, level=1, strategy=zlib.Z_RLE)
    if most is not None and len(out) > most:
        out = _png(grey, level=9, strategy=zlib.Z_DEFAULT_STRATEGY)
    return out


def _png(grey: NDArray[np.uint8] | NDArray[np.uint16], *, level: int, strategy: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(grey).save(out, "PNG", compress_level=level, compress_type=strategy)
    return out.getvalue()


def traces(data: bytes) -> list[str]:
    """Return the names of the places in a PNG or JPEG that may tell whose it is; [] is clean."""
    found = _png_traces(data) if data.startswith(PNG) else _jpeg_traces(data)
    return list(dict.fromkeys(found))


def _png_traces(data: bytes) -> Iterator[str]:
    at = len(PNG)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind not in PNG_PIXELS:
            # Of an unknown chunk even the name is the file's own words.
            yield f"chunk {kind.decode()}" if kind in PNG_WORDS else "an unknown chunk"
        at += 12 + length
        if kind == b"IEND":
            break
    if at < len(data):
        yield "data behind the image"


def _jpeg_traces(data: bytes) -> Iterator[str]:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in JPEG_WORDS:
            yield f"segment {marker:02X}"
        if marker == 0xDA:  # The scan; what follows are pixels up to the end marker.
            break
        at += 2 + length
    end = data.find(b"\xff\xd9", at)  # Coded pixels never hold these two bytes.
    if end > 0 and data[end + 2 :].strip(b"\0"):
        yield "data behind the image"


@contextmanager
def readable(kind: str) -> Iterator[None]:
    """Make whatever a decoder raises that file's fault.

    The decoder's own words are left out of the message: they may quote the file.
    """
    try:
        yield
    except (BadInput, MemoryError):
        raise
    except Exception:
        rule = f"A {kind} must be whole and valid. Received: one that can't be read."
        raise BadInput("unreadable", f"{rule} Export it again.") from None
