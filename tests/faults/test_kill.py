"""kill -9 of each process in turn under load: nothing lost, nothing doubled."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from chexnet import topics
from chexnet.adapters.gateway import HttpGateway
from chexnet.adapters.kafka import KafkaBus
from chexnet.adapters.pachyderm import PachydermStore
from chexnet.errors import ChexnetError, Unavailable
from chexnet.messages import now
from chexnet.runtime.following import outcomes
from chexnet.settings import Settings
from tests.images import film

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("champion"), pytest.mark.timeout(600)]

VICTIMS = {
    "gateway": "services.gateway.main",
    "preprocess": "services.preprocess.main",
    "router": "services.router.main",
    "shadow": "services.shadow.main",
    "archivers": "services.archiver.main",
    "reconciler": "services.reconciler.main",
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


def until_well(settings: Settings) -> None:
    """Wait until every service of the pipeline says that it is well; the timeout ends the wait."""
    waiting = dict(settings.service_addresses)
    for _ in iter(int, 1):
        for name, address in list(waiting.items()):
            try:
                if httpx.get(f"http://{address}/healthz", timeout=2).is_success:
                    del waiting[name]
            except httpx.HTTPError:
                continue
        if not waiting:
            return


class Load:
    """Uploads films one after the other, and tries again what was not taken."""

    def __init__(self, settings: Settings) -> None:
        self._gateway = HttpGateway(settings.gateway)
        self._stop = threading.Event()
        self.accepted: list[str] = []
        self.began = now()
        self._thread = threading.Thread(target=self._run)
        self._random = np.random.default_rng()

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._gateway.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            data = film(self._random)
            while not self._stop.is_set():
                try:
                    self.accepted += [a.upload_id for a in self._gateway.upload(data)]
                    break
                except Unavailable:
                    self._stop.wait(0.05)

    def more(self, count: int) -> None:
        """Wait until `count` more are accepted."""
        wanted = len(self.accepted) + count
        while len(self.accepted) < wanted:
            self._stop.wait(0.01)


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
    ids = set(load.accepted)
    ends = outcomes(bus, ids, since=load.began, patience=90)
    assert {m.topic.name for m in ends} == {"predictions"}
    reader = bus.read([topics.PREDICTIONS])
    seen = Counter(m.headers.upload_id for m in reader.to_end())
    reader.close()
    assert {seen[upload_id] for upload_id in ids} == {1}
    until_well(stack)
    store = PachydermStore(stack.store, stack.pipeline)
    for repo in ("raw", "predictions"):
        assert set(archive_counts(store, repo, ids).values()) == {1}


def archive_counts(store: PachydermStore, repo: str, ids: set[str]) -> Counter[str]:
    """Return how many answers' files each id has, waiting until all are there."""
    for _ in iter(int, 1):
        try:
            names = [Path(path).name for path in store.list(repo, "/data")]
        except ChexnetError:
            continue
        own = [name for name in names if ".shadow." not in name]
        found = Counter(i for name in own if (i := name.split(".")[0]) in ids)
        if set(found) == ids:
            return found
    raise AssertionError
