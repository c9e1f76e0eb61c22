"""Run the project's playbooks as a user does, on a state folder and ports of the test's own."""

from __future__ import annotations

import json
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PORTS = (
    "kafka_port",
    "kafka_controller_port",
    "pachyderm_port",
    "pachyderm_health_port",
    "tf_serving_grpc_port",
    "tf_serving_rest_port",
    "tensorboard_port",
    "jupyter_port",
)
A_PIPELINE = 20  # The ports of one: its gateway's, and the health of its services; with room.
INPUTS = {"xray": "chest_xray", "waveform": "waveform"}


@dataclass(frozen=True)
class Outcome:
    """What ansible-playbook said."""

    code: int
    output: str

    @property
    def changed(self) -> list[str]:
        """The tasks that changed something, by name."""
        blocks = re.split(r"^TASK \[", self.output, flags=re.MULTILINE)[1:]
        return [b.split("]", 1)[0] for b in blocks if re.search(r"^changed:", b, re.MULTILINE)]


@dataclass(frozen=True)
class Site:
    """One platform of a test: its state folder, and what it sets in place of the inventory."""

    state: Path
    variables: dict[str, Any] = field(default_factory=dict)
    inventory: str = "inventory/local"

    def play(self, playbook: str, *arguments: str, **variables: Any) -> Outcome:
        """Run playbooks/<playbook>.yml."""
        given = {"state_dir": str(self.state), **self.variables, **variables}
        given = {name: value for name, value in given.items() if value is not None}
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        command = [program, f"playbooks/{playbook}.yml", "-i", self.inventory]
        command += ["-e", json.dumps(given), *arguments]
        done = subprocess.run(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
            check=False,
        )
        return Outcome(done.returncode, done.stdout)

    def up(self) -> None:
        """Bring it up, or fail with what Ansible said last."""
        outcome = self.play("site")
        if outcome.code:
            raise AssertionError(f"site.yml must succeed. Received:\n{outcome.output[-4000:]}")


def free_ports(count: int) -> int:
    """Return the first of `count` ports in a row that nobody listens on."""
    while True:
        first = random.randrange(15_000, 32_000)  # Below what the kernel gives to clients.
        if all(_free(port) for port in range(first, first + count)):
            return first


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def temporary_site(
    *pipelines: str, inventory: str = "inventory/local", **more: Any
) -> Iterator[Site]:
    """Yield a site that nothing else touches; afterwards it is stopped and deleted."""
    first = free_ports(len(PORTS) + A_PIPELINE * len(pipelines))
    variables: dict[str, Any] = {name: first + n for n, name in enumerate(PORTS)}
    variables["pipelines"] = [
        {"name": name, "input": INPUTS[name], "port": first + len(PORTS) + A_PIPELINE * n}
        for n, name in enumerate(pipelines)
    ]
    variables |= more
    # Not pytest's folder: a Unix socket's path may have 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="chexnet-"))
    site = Site(folder / "state", variables, inventory)
    try:
        yield site
    finally:
        site.play("destroy", purge=True)
        shutil.rmtree(folder, ignore_errors=True)
