"""A platform of these tests' own, since they stop and break it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.playbooks import Site, temporary_site


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """One pipeline, up."""
    with temporary_site("xray") as made:
        made.up()
        yield made


@pytest.fixture(scope="session")
def compose() -> list[str]:
    """Docker compose, where it is there; CI has it from the engine of tests/docker."""
    command = ["docker", "compose"]
    try:
        done = subprocess.run([*command, "version"], capture_output=True, check=False)
    except FileNotFoundError as error:
        pytest.skip(f"no docker compose to ask: {error}")
    if done.returncode:  # A client without the plug-in.
        pytest.skip(f"no docker compose to ask: {done.stderr.decode().strip()}")
    return command
