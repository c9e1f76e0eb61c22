"""What became of a datum, as Pachyderm's own workers keep it in `/meta/<id>/meta` of a meta repo.

pachd reads it to list a job's datums. The format is the JSON form (protobuf's) of `Meta` in
Pachyderm's src/server/worker/datum/datum.proto, version 2.11.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

FOLDER, OUTPUTS = "/meta", "/pfs"  # As Pachyderm's workers have them.
RECORDS, PENDING, LOGS = "/records", "/pending", "/logs"  # Of services/pipeline_runner alone.
EVERY = f"{FOLDER}/*/meta"
State = Literal["PROCESSED", "FAILED", "RECOVERED"]


class Named(Struct, frozen=True):
    """A project."""

    name: str


class Repo(Struct, frozen=True):
    """A repo, with its type."""

    name: str
    type: str
    project: Named


class Commit(Struct, frozen=True):
    """A commit."""

    id: str
    repo: Repo


class File(Struct, frozen=True):
    """A file or directory of a commit."""

    commit: Commit
    path: str


class FileInfo(Struct, frozen=True):
    """What is said of a file: where it is."""

    file: File


class Input(Struct, frozen=True, rename="camel"):
    """One of a datum's files, by the input that it comes of; its branch is part of the id."""

    file_info: FileInfo
    name: str
    branch: str = ""


class Pipeline(Struct, frozen=True):
    """A pipeline."""

    name: str
    project: Named


class Job(Struct, frozen=True):
    """The job that did the datum."""

    id: str
    pipeline: Pipeline


class Stats(Struct, frozen=True, rename="camel"):
    """How long it took, as a duration is written: `1.5s`."""

    process_time: str


class Meta(Struct, frozen=True, kw_only=True):
    """One datum."""

    job: Job
    inputs: tuple[Input, ...]
    hash: str = ""
    state: State = "PROCESSED"
    reason: str = ""
    stats: Stats | None = None

    def encode(self) -> bytes:
        """Return it as JSON."""
        return msgspec.json.encode(self)


def path(datum: str) -> str:
    """Return where a datum's lies."""
    return f"{FOLDER}/{datum}/meta"


def datum_of(path_: str) -> str:
    """Return the datum whose lies there."""
    return path_.split("/")[2]


def decode(data: bytes) -> Meta:
    """Return what a file holds."""
    return msgspec.json.decode(data, type=Meta)
