"""What a transform sees of Pachyderm: its inputs, its output and its names, by the environment.

A worker of Pachyderm's and services/pipeline_runner give the same; only the folder may differ.
"""

from __future__ import annotations

import os
from pathlib import Path

from chexnet.errors import ConfigError

FOLDER = "CHEXNET_PFS"


def folder() -> Path:
    """Return the folder that holds the inputs and `out`; /pfs unless CHEXNET_PFS names another."""
    return Path(os.environ.get(FOLDER, "/pfs"))


def out() -> Path:
    """Return where what is written becomes the datum's output."""
    return folder() / "out"


def path(name: str) -> Path:
    """Return the file or folder of the input called `name` in this datum.

    Raises:
        ConfigError: the datum has no such input.
    """
    return Path(_of_datum(name))


def inside(name: str) -> Path:
    """Return the path of the input called `name` as it is in its repo, without a root."""
    return path(name).relative_to(folder() / name)


def commit(name: str) -> str:
    """Return the commit that the input called `name` comes from; raise ConfigError."""
    return _of_datum(f"{name}_COMMIT")


def _of_datum(variable: str) -> str:
    value = os.environ.get(variable, "")
    if not value:
        rule = f"A transform runs as a datum of its pipeline, which sets {variable}."
        raise ConfigError(f"{rule} Received: nothing. Run it by: chexnet pipeline run")
    return value
