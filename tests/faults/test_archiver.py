"""The archiver is killed at each point of a commit, and nobody archives beside it."""

from __future__ import annotations

import multiprocessing as mp
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chexnet import topics
from chexnet.adapters.memory import MemoryBus
from chexnet.adapters.pachyderm import PachydermStore
from chexnet.messages import Headers, Message, new_id
from chexnet.runtime.archiver import Archiver
from chexnet.runtime.health import Health
from chexnet.settings import Settings
from tests.commands import env_file
from tests.contract.pachyderm.server import Server

UPLOADS, WAVE = 60, 20
HIT = 2  # The commit that a kill hits: the first has succeeded.


def film(n: int) -> bytes:
    return b"\x89PNG" + str(n).encode() * 1000


def uploads(first: int, end: int) -> list[Message]:
    """Return the same messages in every process: the bus gives them the same offsets."""
    at, made = datetime(2026, 1, 2, tzinfo=UTC), []
    for n in range(first, end):
        headers = Headers(schema="upload/1", upload_id=f"u{n}", image_id="i", created_at=at)
        made.append(Message(topic=topics.UPLOADS, key=f"k{n}", value=film(n), headers=headers))
    return made


class Deadly:
    """Pachyderm's API as the store calls it; it ends the process at one point of one commit."""

    def __init__(self, real: Any, point: str) -> None:
        self._real, self._point, self._commits = real, point, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def _reach(self, point: str) -> None:
        if point == self._point and self._commits == HIT:
            os._exit(9)

    def start_commit(self, **asked: Any) -> Any:
        self._commits += 1
        self._reach("before start")
        commit = self._real.start_commit(**asked)
        self._reach("after start")
        return commit

    def modify_file(self, requests: Iterator[Any]) -> None:
        everything = list(requests)
        if self._point == "in put" and self._commits == HIT:
            self._real.modify_file(iter(everything[: len(everything) // 2]))
        self._reach("in put")
        self._real.modify_file(iter(everything))

    def finish_commit(self, **asked: Any) -> None:
        self._reach("between put and finish")
        self._real.finish_commit(**asked)
        self._reach("after finish")


def _archive(address: str, project: str, point: str, wave: int) -> None:
    """Archive all uploads, which come in waves; or die at `point`."""
    store, seen = PachydermStore(address, project), PachydermStore(address, project)
    store._pfs = Deadly(store._pfs, point)
    bus, stop, health = MemoryBus(), threading.Event(), Health("archiver")
    archiver = Archiver(bus, store, "raw", [topics.UPLOADS], health=health, stop=stop, age=0.01)
    bus.send(uploads(0, wave))
    thread = threading.Thread(target=archiver.run)
    thread.start()
    for end in range(wave, UPLOADS + 1, wave):
        while sum(seen.offsets("raw").values()) < end:
            stop.wait(0.01)
        bus.send(uploads(end, min(end + wave, UPLOADS)))
    stop.set()
    thread.join()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = Server(tmp_path_factory.mktemp("store") / "folder")
    yield server.address
    assert server.stop() == 0


def _run(*arguments: object) -> int | None:
    process = mp.get_context("spawn").Process(target=_archive, args=arguments)
    process.start()
    process.join()
    return process.exitcode


@pytest.mark.slow
@pytest.mark.parametrize(
    "point", ["before start", "after start", "in put", "between put and finish", "after finish"]
)
def test_each_upload_is_archived_once_wherever_a_kill_hits(address: str, point: str) -> None:
    project = f"kill-{new_id()}"
    assert _run(address, project, point, WAVE) == 9
    assert _run(address, project, "", UPLOADS) == 0
    archived = dict(PachydermStore(address, project).fetch("raw", "/data"))
    assert archived == {f"/data/20260102/k{n}/u{n}.i.png": film(n) for n in range(UPLOADS)}


@pytest.mark.real
@pytest.mark.parametrize("repo", ["raw", "predictions", "feedback"])
def test_a_second_archiver_of_a_repo_refuses_to_run(stack: Settings, repo: str) -> None:
    names = {"CHEXNET_ENV_FILE": str(env_file(stack)), "CHEXNET_ARCHIVE": repo}
    done = subprocess.run(
        [sys.executable, "-m", "services.archiver.main"],
        cwd=Path(__file__).parent.parent.parent,
        env={**os.environ, **names},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("A repo must have one writer. Received: a second one")
