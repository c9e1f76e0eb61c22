"""Prepare: from what was downloaded to a folder that `chexnet data import` takes."""

from __future__ import annotations

import csv
import tarfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath

from msgspec import Struct

from chexnet.data.labels import LABELS_FILE
from chexnet.data.nih.archives import ARCHIVES, ENTRIES, IMAGE, IMAGES
from chexnet.data.nih.png import damage
from chexnet.data.parallel import spread
from chexnet.data.splits import Split
from chexnet.errors import ConfigError, Unavailable
from chexnet.inputs.nih import FOUND, Entry, entry

LARGEST = 32 * 2**20  # Bytes of a film; the largest that NIH published has 1.5 MB.


class Failed(Struct, frozen=True):
    """What is not in, and why."""

    file: str
    reason: str


class Prepared(Struct, frozen=True, kw_only=True):
    """What the folder holds."""

    films: int
    patients: int
    splits: dict[str, int]  # Films of each.
    absent: int  # Films of the table that are not in the folder.
    failed: tuple[Failed, ...]


def entries(folder: Path) -> list[Entry]:
    """Return the lines of NIH's table in a folder; raise ConfigError if there is none."""
    table = next((folder / name for name in ENTRIES if (folder / name).exists()), None)
    if table is None:
        rule = f"The folder must have NIH's table, {ENTRIES[0]}. Received: {folder}, without."
        raise ConfigError(f"{rule} Download it from the site that `download` names.")
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file, restval="")
        if FOUND not in (rows.fieldnames or ()):
            rule = f"{table} must have the column {FOUND}."
            raise ConfigError(f"{rule} Received: {', '.join(rows.fieldnames or ())}.")
        return [entry(row) for row in rows]


def unpack(folder: Path, told: Callable[[str], None]) -> tuple[Failed, ...]:
    """Unpack the archives of a folder into its `images`; what is there already stays.

    Args:
        folder: with any of the archives; none are needed where `images` is there.
        told: called with the name of each archive when it is done.

    Returns:
        What was left out: members that are no films or damaged ones, archives that end too early.

    Raises:
        Unavailable: the disk does not take them.
    """
    found = [folder / a.name for a in ARCHIVES if (folder / a.name).exists()]
    (folder / IMAGES).mkdir(exist_ok=True)
    failed: list[Failed] = []
    for archive, left in zip(found, spread(partial(_unpack, folder / IMAGES), found), strict=True):
        failed += left
        told(archive.name)
    return tuple(failed)


def _unpack(images: Path, archive: Path) -> list[Failed]:
    failed: list[Failed] = []
    for name, data in _films(images, archive, failed):
        part = images / f"{name}.part"
        try:
            part.write_bytes(data)
            part.replace(images / name)
        except OSError as error:  # A full disk: nothing is wrong with the archive.
            rule = f"Films of {archive.name} must be written into {images}. Received: {error}."
            raise Unavailable(f"{rule} Make room and run it again: it goes on there.") from error
    return failed


def _films(images: Path, archive: Path, failed: list[Failed]) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of each film that is whole and not in `images`; list the others."""
    try:
        with tarfile.open(archive, "r|gz") as members:
            for member in members:
                if member.isdir():
                    continue
                name = PurePosixPath(member.name).name
                if not (reason := _refused(member)):
                    target = images / name
                    if target.exists() and target.stat().st_size == member.size:
                        continue
                    file = members.extractfile(member)
                    data = file.read() if file else b""
                    if not (reason := damage(data)):
                        yield name, data
                        continue
                failed.append(Failed(f"{archive.name}: {member.name}", reason))
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        reason = f"It can't be read to its end: {error}. Download it again."
        failed.append(Failed(archive.name, reason))


def _refused(member: tarfile.TarInfo) -> str:
    """Return why a member is no film, as a sentence; "" where it may be one."""
    path = PurePosixPath(member.name)
    if not member.isfile():
        return "It is a link or a device, and not a file."
    if path.is_absolute() or ".." in path.parts:
        return "Its path leads out of the archive."
    if not IMAGE.fullmatch(path.name):
        return "Its name is not a film's, such as 00000001_000.png."
    if member.size > LARGEST:
        return f"A film has at most {LARGEST:,} bytes. Received: {member.size:,}."
    return ""


def prepare(
    folder: Path,
    said: Iterable[Entry],
    splits: Mapping[str, Split],
    labels: Collection[str],
    failed: tuple[Failed, ...] = (),
) -> Prepared:
    """Write `labels.csv` beside `images`: of every film that is there, in the order of the names.

    Args:
        folder: with `images`.
        said: what NIH's table says.
        splits: patient → split.
        labels: of the input in use.
        failed: what unpacking left out, for the record.

    Raises:
        ConfigError: no film of the table is there.
    """
    there = {file.name for file in (folder / IMAGES).glob("*.png")}
    said = sorted(said, key=lambda one: one.image)
    films = [one for one in said if one.image in there]
    if not films:
        rule = f"The folder must have films of NIH's table in {IMAGES}, or the archives."
        raise ConfigError(f"{rule} Received: none in {folder}. Download them first.")
    unknown = sorted(there - {one.image for one in films})
    strangers = tuple(Failed(name, "NIH's table has no line for it.") for name in unknown)
    with (folder / LABELS_FILE).open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file", "patient", "split", *labels, "sex", "age", "view"])
        table.writerows(_rows(films, splits, labels))
    counts = [splits[one.patient] for one in films]
    return Prepared(
        films=len(films),
        patients=len({one.patient for one in films}),
        splits={split: counts.count(split) for split in sorted(set(counts))},
        absent=len(said) - len(films),
        failed=failed + strangers,
    )


def _rows(
    films: Iterable[Entry], splits: Mapping[str, Split], labels: Collection[str]
) -> Iterator[list[str | int]]:
    for one in films:
        findings = [int(label in one.findings) for label in labels]
        details = [one.sex, "" if one.age is None else one.age, one.view]
        yield [f"{IMAGES}/{one.image}", one.patient, splits[one.patient], *findings, *details]
