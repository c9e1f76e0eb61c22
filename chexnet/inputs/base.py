"""What an input is: one class in one file, named in the entry-point group `chexnet.inputs`."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from chexnet.errors import ConfigError


class Limits(Struct, frozen=True, kw_only=True):
    """What a file may cost; checked before it is decoded."""

    encoded_bytes: int = 32 * 2**20
    pixels: int = 50_000_000
    archive_members: int = 1000
    archive_bytes: int = 2**30

    @property
    def cleaned_bytes(self) -> int:
        """What a cleaned file may have: pixels of a well packed file grow when they are re-encoded.

        By default this holds any 8-bit image of the most pixels. Topics, broker, producers and
        fetches follow it.
        """
        return self.encoded_bytes + self.encoded_bytes // 2


class Cleaned(Struct, frozen=True, kw_only=True):
    """A file without its patient's identity."""

    data: bytes  # What goes on the bus: re-encoded from the pixels; at most limits.cleaned_bytes.
    image_id: str  # SHA-256 of the pixels with the tags that matter.
    patient: str | None = None  # Issuer and id as the file states them; never leaves the gateway.
    issuer: str = ""


class Input(Protocol):
    """A kind of input: how its files are read, what the model sees of them, how they are shown."""

    name: str
    labels: tuple[str, ...]  # The findings, in the order of the model's outputs.
    shape: tuple[int, ...]  # Of one canonical image, uint8; images: rows, columns, channels.
    suffixes: tuple[str, ...]  # Of the files that a person may choose, e.g. `.png`.

    def clean(self, data: bytes, limits: Limits) -> Cleaned:
        """Remove the identity; the gateway calls it. Raise BadInput if the file is at fault."""

    def decode(self, data: bytes, limits: Limits) -> NDArray[np.uint8]:
        """Return the canonical image, of `shape`.

        Raises:
            BadInput: the file is at fault; `identity` if it still shows whose it is.
        """

    def view(self, data: bytes, limits: Limits) -> bytes:
        """Return a cleaned file as PNG at its own resolution, 8 or 16 bits of grey, or RGB.

        It shows the field of the canonical image, all of it, so that heat maps fit over it.

        Raises:
            BadInput: the file is at fault.
        """

    def render(self, canonical: NDArray[np.uint8]) -> bytes:
        """Return a PNG for people to look at, of a canonical image."""

    def overlay(self, canonical: NDArray[np.uint8], cam: NDArray[np.float32]) -> bytes:
        """Return a PNG of the canonical image with the heat map `cam` [rows, columns] over it."""


@cache  # To look through all that is installed takes longer than to read a film.
def load(name: str) -> Input:
    """Return the installed input called `name`, importing no other; the same one each time.

    Raises:
        ConfigError: no such input is installed.
    """
    installed = entry_points(group="chexnet.inputs")
    if name not in installed.names:
        known = ", ".join(sorted(installed.names))
        rule = f"CHEXNET_INPUT must name an installed input: {known}. Received: {name!r}."
        raise ConfigError(f"{rule} Correct it, or install the package that has this input.")
    source: Input = installed[name].load()()
    return source
