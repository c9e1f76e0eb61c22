"""What an input is: one class in one file, named in the entry-point group `chexnet.inputs`."""

from __future__ import annotations

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


class Cleaned(Struct, frozen=True, kw_only=True):
    """A file without its patient's identity."""

    data: bytes  # What goes on the bus: re-encoded from the pixels.
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

    def render(self, canonical: NDArray[np.uint8]) -> bytes:
        """Return a PNG for people to look at, of a canonical image."""

    def overlay(self, canonical: NDArray[np.uint8], cam: NDArray[np.float32]) -> bytes:
        """Return a PNG of the canonical image with the heat map `cam` [rows, columns] over it."""


def load(name: str) -> Input:
    """Return the installed input called `name`, importing no other.

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
