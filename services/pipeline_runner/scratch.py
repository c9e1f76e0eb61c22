"""A datum's folder on this machine: a folder for each input, and `out`, as below /pfs."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, cast

import msgspec
from msgspec import Struct
from pachyderm_sdk.api import pfs, pps
from pachyderm_sdk.api.pfs.file import PFSFile

from chexnet.adapters.pachyderm.connection import Connection
from services.pipeline_runner.datums import Datum

OUT = "out"


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
        environment[f"{part.name}_COMMIT"] = part.file.commit.id
        if part.folder:
            _fetch_folder(at, part.file, folder / part.name)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                for piece in at.client.pfs.get_file(file=part.file):
                    file.write(piece.value)
    return Scratch(datum, folder, environment)


def _fetch_folder(at: Connection, file: pfs.File, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    stream = PFSFile(at.client.pfs.get_file_tar(file=file))
    with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|*") as archive:
        archive.extractall(target, filter="data")


def environment_of(transform: pps.Transform) -> dict[str, str]:
    """Return what a transform's spec adds to the environment."""
    return dict(msgspec.convert(transform.env, dict[str, str]))
