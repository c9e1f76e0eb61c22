"""Sending files from the command line: which files a path names, and what became of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import typer
from msgspec import Struct

from chexnet.adapters.gateway import HttpGateway, Sent
from chexnet.inputs.base import Input

ARCHIVE = ".zip"


class File(Struct, frozen=True):
    """One file that was sent, and the gateway's answer."""

    path: Path
    sent: Sent


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
