"""The tour runs from top to bottom on the real stack, as a reader runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chexnet.settings import Settings
from tests.commands import env_file

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
NAMES = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))


def run(name: str, settings: Settings, folder: Path) -> None:
    """Run a copy of a notebook in the folder, on the stack of these settings."""
    copy = folder / name
    copy.write_bytes((NOTEBOOKS / name).read_bytes())
    command = [sys.executable, "-m", "pytest", "--nbmake", "--nbmake-timeout=120", str(copy)]
    done = subprocess.run(
        [*command, "-q", "-p", "no:cacheprovider", f"--rootdir={folder}", "-c", os.devnull],
        env={**os.environ, "CHEXNET_ENV_FILE": str(env_file(settings))},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.mark.real
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_without_an_error(name: str, champion: Settings, tmp_path: Path) -> None:
    run(name, champion, tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_no_output_is_committed(name: str) -> None:
    assert '"output_type"' not in (NOTEBOOKS / name).read_text()
