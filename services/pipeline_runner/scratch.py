"""A datum's folder on this machine: a folder for each input, and `out`, as below /pfs."""

from __future__ import annotations

import posixpath
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, cast

from msgspec import Struct
from pachyderm_sdk.api import pfs, pps
from pachyderm_sdk.api.pfs.file import PFSFile

from chexnet.adapters.pachyderm.connection import Connection
from chexnet.adapters.pachyderm.wire import field, fields
from services.pipeline_runner.datums import Datum

OUT = "out"
GET = "/pfs_v2.API/GetFile"


class Scratch(Struct, frozen=True):
    """One datum's folder, and the environment that its transform gets."""

    datum: Datum
    folder: Path
    environment: Mapping[str, str]

    @property
    def out(self) -> Path:
        """Where the transform writes."""
        return self.folder / OUT

    def clear(self) -> None:
        """Empty `out`, before another try."""
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()

    def outputs(self) -> tuple[str, ...]:
        """Return the paths of the files that the transform wrote."""
        found = (path for path in self.out.rglob("*") if path.is_file())
        return tuple(sorted(f"/{path.relative_to(self.out)}" for path in found))

    def delete(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def prepare(at: Connection, job: pps.JobInfo, datum: Datum, folder: Path) -> Scratch:
    """Fetch a datum's inputs into `folder`, which must not be there."""
    (folder / OUT).mkdir(parents=True)
    environment = {
        "CHEXNET_PFS": str(folder),
        "PACH_JOB_ID": job.job.id,
        "PACH_DATUM_ID": datum.id,
        "PACH_OUTPUT_COMMIT_ID": job.output_commit.id,
        "PACH_PIPELINE_NAME": job.job.pipeline.name,
        "PACH_JOB_PROJECT": job.job.pipeline.project.name,
    }
    for part in datum.parts:
        target = folder / part.name / part.path.strip("/")
        environment[part.name] = str(target)
        environment[f"{part.name}_COMMIT"] = part.commit
        if part.folder:
            _fetch_folder(at, part.file, folder / part.name)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                for content in _content(at, part.file):
                    file.write(content)
    return Scratch(datum, folder, environment)


def _content(at: Connection, file: bytes) -> Iterator[memoryview]:
    call = at.client._channel.unary_stream(GET, bytes, bytes)
    for message in call(field(1, file)):
        for _, content in fields(memoryview(message)):
            yield content


def _fetch_folder(at: Connection, file: bytes, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    stream = PFSFile(at.client.pfs.get_file_tar(file=pfs.File().parse(file)))
    with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|*") as archive:
        for member in archive:  # Not extractall: its filter is younger than Debian 12's Python.
            place = target / posixpath.normpath(f"/{member.name.lstrip('/')}")[1:]
            if member.isdir():
                place.mkdir(parents=True, exist_ok=True)
            elif content := archive.extractfile(member):
                place.parent.mkdir(parents=True, exist_ok=True)
                with place.open("wb") as written:
                    shutil.copyfileobj(content, written)
