"""Serving follows control, and a version that can't be served is said, not fatal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

from msgspec import structs

from chexnet.adapters.memory import MemoryBus
from chexnet.errors import Refused
from chexnet.experiments import control
from chexnet.messages import Audit, now
from chexnet.runtime.health import Health
from chexnet.runtime.reconciler import Reconciler


class Holding:
    """A serving that remembers what it was told."""

    def __init__(self, broken: Iterable[int] = ()) -> None:
        self.broken = set(broken)
        self.labels: dict[str, int] = {}
        self.kept: set[int] = set()

    def label(self, labels: Mapping[str, int], keep: Iterable[int]) -> None:
        self.labels, self.kept = dict(labels), set(keep)
        if self.broken & self.kept:
            raise Refused("Version 3 can't be served.")


def change(bus: MemoryBus, **to: object) -> None:
    newest = control.read(bus, "m")
    audit = Audit(
        audit_id="a",
        at=now(),
        who="w",
        verified=False,
        action="start",
        model="m",
        before=0,
        after=0,
    )
    changed = structs.replace(newest, **to)
    control.change(bus, "m", expected=newest.revision, to=changed, audit=audit)


def reconcile(
    bus: MemoryBus,
    serving: Holding,
    until: Callable[[Health], bool],
    golden: Callable[[int], None] = lambda _: None,
) -> Health:
    stop, health = threading.Event(), Health("reconciler")
    follower = control.Follower(bus, "m")
    reconciler = Reconciler(follower, serving, health=health, stop=stop, golden=golden)
    thread = threading.Thread(target=reconciler.run)
    thread.start()
    while not until(health):
        stop.wait(0.005)
    stop.set()
    thread.join()
    return health


def test_champion_arms_and_what_prepares_are_loaded_and_labelled() -> None:
    bus, serving = MemoryBus(), Holding()
    change(bus, champion=2, previous=1, arms={"b": 4}, keep=(5,))
    reconcile(bus, serving, lambda health: health.state == "ok" and bool(serving.kept))
    assert serving.labels == {"champion": 2, "b": 4}
    assert serving.kept == {1, 2, 4, 5}


def test_before_the_first_release_it_is_well_and_says_nothing() -> None:
    serving = Holding()
    reconcile(MemoryBus(), serving, lambda health: health.state == "ok")
    assert serving.kept == set()


def test_what_can_not_be_served_is_said_and_the_next_revision_is_applied() -> None:
    bus, serving = MemoryBus(), Holding(broken=[3])
    change(bus, champion=1, keep=(3,))
    said: list[str] = []

    def mended(health: Health) -> bool:
        if health.state == "waiting" and not said:
            said.append(health.reason)
            change(bus, champion=1, keep=())
        return bool(said) and health.state == "ok"

    reconcile(bus, serving, mended)
    assert said == ["Version 3 can't be served."]
    assert serving.kept == {1}


def test_a_version_that_answers_otherwise_than_its_golden_outputs_is_said() -> None:
    bus, asked = MemoryBus(), []
    change(bus, champion=2, previous=1)

    def golden(version: int) -> None:
        asked.append(version)
        if version == 2:
            raise Refused("3.1e-2 off")

    health = reconcile(bus, Holding(), lambda health: health.state == "waiting", golden)
    assert health.reason == "3.1e-2 off"
    assert asked[:2] == [1, 2]


def test_golden_outputs_are_asked_once_for_a_revision() -> None:
    bus, serving, asked = MemoryBus(), Holding(), []
    change(bus, champion=2, previous=1)
    reconcile(bus, serving, lambda health: health.state == "ok", asked.append)
    assert asked == [1, 2]
