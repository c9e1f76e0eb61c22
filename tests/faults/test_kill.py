"""kill -9 of each process in turn under load: nothing lost, nothing doubled."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from chexnet.adapters.kafka import KafkaBus
from chexnet.settings import Settings
from tests.load import Load, assert_each_once, until_well

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("champion"), pytest.mark.timeout(600)]

VICTIMS = {
    "gateway": "services.gateway.main",
    "preprocess": "services.preprocess.main",
    "router": "services.router.main",
    "shadow": "services.shadow.main",
    "archivers": "services.archiver.main",
    "reconciler": "services.reconciler.main",
    "guardian": "services.guardian.main",
    "model server": "services.model_server.main",
    "version store": "services.version_store.main",
    "broker": "kafka.Kafka",
}


def processes(words: str, state: Path) -> list[int]:
    """Return the pids of this site's processes whose command line has `words`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            environment = (folder / "environ").read_bytes().decode(errors="replace")
        except (OSError, ProcessLookupError):
            continue
        if words in command and (f"{state}/" in environment or f"{state}/" in command):
            found.append(int(folder.name))
    return found


@pytest.fixture
def bus(stack: Settings) -> Iterator[KafkaBus]:
    made = KafkaBus(stack)
    yield made
    made.close()


@pytest.mark.parametrize("victim", VICTIMS)
def test_after_a_kill_every_upload_is_predicted_once_and_archived_once(
    victim: str, stack: Settings, bus: KafkaBus
) -> None:
    until_well(stack)
    with Load(stack) as load:
        load.more(15)
        pids = processes(VICTIMS[victim], stack.state)
        assert pids
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        load.more(30)
    assert_each_once(stack, bus, load)
