"""Where a run came from: the code's version and the machine."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("tensorflow-cpu", "tensorflow", "keras", "numpy")


def code() -> str:
    """Return the installed version, with git's commit where the code is a checkout."""
    installed = version("chexnet-pipeline")
    command = ("git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    here = Path(__file__).parent
    try:
        told = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return installed
    return f"{installed}+{told.stdout.strip()}"


def host() -> dict[str, Any]:
    """Return what a rerun would have to match. No name of the machine: it tells who, not what."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except ModuleNotFoundError:
        return None
