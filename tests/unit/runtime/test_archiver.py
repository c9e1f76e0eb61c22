"""The archiver, killed at each of its points: the archive holds each message once."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from chexnet import topics
from chexnet.adapters.memory import MemoryBus, MemoryStore
from chexnet.errors import BadInput, Refused, Unavailable
from chexnet.messages import Headers, Message, now
from chexnet.runtime.archiver import Archiver, sole_writer
from chexnet.runtime.health import Health
from chexnet.steps.archive import place
from chexnet.steps.ports import Offsets


class Killed(BaseException):
    """What a kill looks like from inside: nothing catches it."""


class Dying(MemoryStore):
    """A store during whose n-th write its archiver is killed, before or after the commit."""

    def __init__(self, *, before: int = -1, after: int = -1, away: int = 0) -> None:
        super().__init__()
        self.before, self.after, self.away, self.writes = before, after, away, 0

    def write(
        self,
        repo: str,
        files: Mapping[str, bytes],
        offsets: Offsets | None = None,
        *,
        remove: Sequence[str] = (),
    ) -> str:
        self.writes += 1
        if self.writes <= self.away:
            raise Unavailable("Waiting for the store.")
        if self.writes == self.before:
            raise Killed
        commit = super().write(repo, files, offsets, remove=remove)
        if self.writes == self.after:
            raise Killed
        return commit


def upload(n: int, value: bytes = b"\x89PNG...") -> Message:
    headers = Headers(schema="upload/1", upload_id=f"u{n}", image_id="i", created_at=now())
    return Message(topic=topics.UPLOADS, key=f"k{n}", value=value, headers=headers)


def archive(bus: MemoryBus, store: MemoryStore, until: int, topic: topics.Topic) -> None:
    stop = threading.Event()
    repo = "raw" if topic == topics.UPLOADS else "predictions"

    class Stopping(Health):
        def set(self, *args: object) -> None:
            if len(store.list(repo, "/data")) >= until:
                stop.set()

    watch = Stopping("archiver")
    archiver = Archiver(bus, store, repo, [topic], health=watch, stop=stop, count=10, age=0.01)
    thread = threading.Thread(target=_quiet, args=(archiver,), daemon=True)
    thread.start()
    while thread.is_alive() and not stop.is_set():
        watch.set()
        stop.wait(0.005)
    stop.set()
    thread.join()


def _quiet(archiver: Archiver) -> None:
    try:
        archiver.run()
    except Killed:
        return


@pytest.mark.parametrize("death", [{"before": 2}, {"after": 2}, {"away": 3}, {}], ids=str)
def test_each_message_is_archived_once_however_it_dies(death: dict[str, int]) -> None:
    bus, store = MemoryBus(), Dying(**death)
    bus.send([upload(n) for n in range(30)])
    archive(bus, store, 30, topics.UPLOADS)
    bus.send([upload(n) for n in range(30, 60)])
    archive(bus, store, 60, topics.UPLOADS)
    archive(bus, store, 60, topics.UPLOADS)  # After its death, if it died in the one before.
    names = [Path(p).stem for p in store.list("raw", "/data")]
    assert sorted(names) == sorted(f"u{n}.i" for n in range(60))
    assert sum(store.offsets("raw").values()) == 60


def test_files_lie_under_their_day_and_unit_with_their_kind() -> None:
    bus, store = MemoryBus(), MemoryStore()
    bus.send([upload(0), upload(1, bytes(128) + b"DICM")])
    archive(bus, store, 2, topics.UPLOADS)
    day = now().strftime("%Y%m%d")
    assert store.list("raw", "/data") == [f"/data/{day}/k0/u0.i.png", f"/data/{day}/k1/u1.i.dcm"]


@pytest.mark.parametrize("key", ["", "..", ".", "a/b", "a*", "{a}", "ü", "x" * 201])
def test_a_key_that_can_name_no_folder_is_a_dead_letter(key: str) -> None:
    with pytest.raises(BadInput, match="A message's key must be") as refused:
        place(msgspec.structs.replace(upload(0), key=key))
    assert refused.value.code == "key"


def test_ids_that_lead_elsewhere_are_a_dead_letter() -> None:
    made = upload(0)
    evil = msgspec.structs.replace(made.headers, upload_id="../../labels/readers.csv")
    with pytest.raises(BadInput, match="A message's id must be"):
        place(msgspec.structs.replace(made, headers=evil))


def test_a_record_that_is_none_goes_to_the_dlq_and_the_offset_passes_it() -> None:
    bus, store = MemoryBus(), MemoryStore()
    store.ensure("predictions")
    headers = Headers(schema="prediction/1", upload_id="u", image_id="i", created_at=now())
    bus.send([Message(topic=topics.PREDICTIONS, key="k", value=b"{}", headers=headers)])
    stop = threading.Event()
    health = Health("archiver")
    archiver = Archiver(
        bus, store, "predictions", [topics.PREDICTIONS], health=health, stop=stop, age=0.01
    )
    thread = threading.Thread(target=archiver.run)
    thread.start()
    while not sum(store.offsets("predictions").values()):
        stop.wait(0.005)
    stop.set()
    thread.join()
    (letter,) = bus.read([topics.PREDICTIONS.dlq]).to_end()
    assert letter.headers.extra["error"] == "malformed"


def _hold(lock: Path, held: threading.Event, free: threading.Event) -> None:
    with sole_writer(lock):
        held.set()
        free.wait()


def test_a_second_archiver_refuses_to_run_until_the_first_is_gone(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    lock, held, free = tmp_path / "raw.lock", context.Event(), context.Event()
    first = context.Process(target=_hold, args=(lock, held, free))
    first.start()
    held.wait()
    with pytest.raises(Refused, match="one writer"), sole_writer(lock):
        pass
    first.kill()
    first.join()
    with sole_writer(lock):
        pass
