"""Run `chexnet` as a user does, on the stack of a test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chexnet.settings import Settings

ROOT = Path(__file__).parent.parent


def settings_of(env_file: Path) -> Settings:
    """Return the settings that an env file says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHEXNET_ENV_FILE", str(env_file))
        return Settings()


def env_file(settings: Settings) -> Path:
    """Return the file that a subprocess finds this pipeline by."""
    return settings.state / f"{settings.pipeline}.env"


def chexnet(
    settings: Settings, *arguments: str | Path, code: int = 0, timeout: float = 280
) -> subprocess.CompletedProcess[str]:
    """Run a command; fail with what it said unless it exits with `code`."""
    done = subprocess.run(
        [sys.executable, "-m", "chexnet.cli.main", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "CHEXNET_ENV_FILE": str(env_file(settings))},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode != code:
        said = f"{done.stdout}\n{done.stderr}"[-4000:]
        raise AssertionError(f"chexnet {arguments} must exit {code}: {done.returncode}\n{said}")
    return done


def chexnet_json(settings: Settings, *arguments: str | Path, **options: Any) -> Any:
    """Run a command with --json and return what it printed."""
    return json.loads(chexnet(settings, *arguments, "--json", **options).stdout)


def crown(settings: Settings, folder: Path, *training: str) -> int:
    """Train on the labelled images in `folder`, release and promote; return the version."""
    version = release(settings, folder, *training)
    chexnet(settings, "promote", str(version))
    return version


def release(settings: Settings, folder: Path, *training: str) -> int:
    """Train on the labelled images in `folder`, and release; return the version.

    Args:
        settings: of a pipeline without a champion.
        folder: images and labels.csv.
        training: further options of `chexnet train`.
    """
    chexnet_json(settings, "data", "import", folder, "--name", "training")
    dataset = chexnet_json(settings, "dataset", "cut")["dataset"]
    options = ("--line", "a", "--dataset", dataset, "--config", "demo_a", *training)
    chexnet_json(settings, "train", *options)
    return int(chexnet_json(settings, "release", "--line", "a")["version"])
