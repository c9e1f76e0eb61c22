"""A load on a stack, and what must be true of it afterwards."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import httpx
import numpy as np

from chexnet import topics
from chexnet.adapters.gateway import HttpGateway
from chexnet.adapters.kafka import KafkaBus
from chexnet.adapters.pachyderm import PachydermStore
from chexnet.errors import ChexnetError, Unavailable
from chexnet.messages import now
from chexnet.runtime.following import outcomes
from chexnet.settings import Settings
from tests.images import phantom


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
            data = phantom(self._random)
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


def assert_each_once(settings: Settings, bus: KafkaBus, load: Load) -> None:
    """Assert that each accepted upload has one prediction, archived once; wait for it."""
    ids = set(load.accepted)
    ends = outcomes(bus, ids, since=load.began, patience=90)
    assert {m.topic.name for m in ends} == {"predictions"}
    reader = bus.read([topics.PREDICTIONS])
    seen = Counter(m.headers.upload_id for m in reader.to_end())
    reader.close()
    assert {seen[upload_id] for upload_id in ids} == {1}
    until_well(settings)
    store = PachydermStore(settings.store, settings.pipeline)
    for repo in ("raw", "predictions"):
        assert archive_counts(store, repo, ids, patience=90) == dict.fromkeys(ids, 1), repo


def archive_counts(
    store: PachydermStore, repo: str, ids: set[str], *, patience: float
) -> dict[str, int]:
    """Return how many answers' files each id has, when all have one or `patience` is at its end."""
    found: Counter[str] = Counter()
    due = time.monotonic() + patience
    while set(found) < ids and time.monotonic() < due:
        with suppress(ChexnetError):  # The store may be on its way back.
            names = [Path(path).name for path in store.list(repo, "/data")]
            own = [name for name in names if ".shadow." not in name]
            found = Counter(i for name in own if (i := name.split(".")[0]) in ids)
    return dict(found)
