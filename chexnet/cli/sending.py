"""Sending files from the command line: which files a path names, and what became of each."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path

import typer

from chexnet.adapters.gateway import HttpGateway, Sent
from chexnet.data import zips
from chexnet.errors import Unavailable
from chexnet.experiments import control
from chexnet.inputs.base import Input
from chexnet.messages import Message
from chexnet.runtime import following
from chexnet.steps.ports import Bus

ARCHIVE = ".zip"
PATIENCE = 60  # Seconds for the next outcome.


class File:
    """One file that was sent, and the gateway's answer.

    Args:
        path: where it lies.
        sent: the answer, which knows a zip's files by their number only.
    """

    def __init__(self, path: Path, sent: Sent) -> None:
        self.path, self.sent = path, sent

    def name(self, index: int) -> str:
        """Return how its owner calls the file, or the file in it, that the answer has by a number.

        Where the zip as a whole was refused it is the zip.
        """
        whole = not self.sent.uploads and len(self.sent.refused) == 1
        if whole or index >= len(self._members):
            return str(self.path)
        return f"{self.path}/{self._members[index]}"

    @cached_property
    def _members(self) -> list[str]:
        if self.path.suffix.lower() != ARCHIVE:
            return []
        try:
            with zipfile.ZipFile(self.path) as opened:
                names = [info.filename for info in zips.taken(opened)]
        except (zipfile.BadZipFile, ValueError, OSError):
            return []
        return ["".join(c if c.isprintable() else "?" for c in name) for name in names]


def shortened(paths: Sequence[str]) -> list[str]:
    """Return paths without the folders that all of them are in."""
    folders = [os.path.dirname(os.path.abspath(path)) for path in paths]
    return [os.path.relpath(path, os.path.commonpath(folders)) for path in paths]


def files_in(paths: Iterable[Path], source: Input) -> list[Path]:
    """Return the files that `paths` name; of a folder, those with the input's suffixes."""
    suffixes = (*source.suffixes, ARCHIVE)
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = [p for p in sorted(path.rglob("*")) if p.suffix.lower() in suffixes]
        if not inside:
            rule = f"A folder must hold {', '.join(suffixes)} files."
            raise typer.BadParameter(f"{rule} Received: none in {path}.")
        found += inside
    return found


def send(
    gateway: HttpGateway, files: Iterable[Path], patients: Mapping[str, str], patient: str | None
) -> Iterator[File]:
    """Send each file and yield its answer. `patients` maps file names to ids."""
    for path in files:
        owner = patients.get(path.name, patient)
        yield File(path, gateway.send(path.read_bytes(), patient=owner or None))


def outcomes(bus: Bus, model: str, uploads: Collection[str], since: datetime) -> Iterator[Message]:
    """Yield each upload's prediction or dead letter, as they come; see chexnet/runtime/following.

    Raises:
        Unavailable: no version answers yet, so that none would come; or none came for a while.
    """
    if control.read(bus, model).champion is None:
        first, more = next(iter(uploads)), len(uploads) - 1
        waits = f"upload {first}{f' and {more} more' if more else ''} waits"
        rule = "A prediction needs a version that answers. Received: none yet."
        todo = "Let one answer: chexnet promote VERSION"
        raise Unavailable(f"{rule} Nothing is lost: {waits}, and is predicted then. {todo}")
    yield from following.outcomes(bus, uploads, since=since, patience=PATIENCE)
