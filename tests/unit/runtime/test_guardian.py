"""The guardian, over the bus in memory: what it stops, what it takes back, what it leaves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from msgspec import structs

from chexnet import topics
from chexnet.adapters.memory import MemoryBus
from chexnet.experiments import control, decisions
from chexnet.experiments.control import Follower
from chexnet.experiments.decisions import By
from chexnet.messages import CHAMPION, Audit, Control, Headers, Message, Rejected, now
from chexnet.runtime.guardian import WATCHED, Guardian
from chexnet.runtime.health import Health
from chexnet.settings import GuardrailSettings
from tests.unit.experiments.records import experiment, prediction

LIMITS = GuardrailSettings(images=20, window=50)
SCORES = {"Left": 0.2}


class World:
    """A model with versions, and a guardian in a thread."""

    def __init__(self) -> None:
        self.bus, self.stop = MemoryBus(), threading.Event()
        self.late = timedelta()
        self.unready: list[str] = []
        self.tried = 0
        self.health = Health("guardian")
        self.thread = threading.Thread(target=self.guardian().run)

    def guardian(self) -> Guardian:
        return Guardian(
            self.bus,
            Follower(self.bus, "xray"),
            usual=lambda _: None,
            unready=self.asked,
            limits=LIMITS,
            health=self.health,
            stop=self.stop,
            clock=lambda: now() + self.late,
        )

    def asked(self, _version: int) -> list[str]:
        self.tried += 1
        return self.unready

    def restart(self) -> None:
        self.stop.set()
        self.thread.join()
        self.stop.clear()
        self.thread = threading.Thread(target=self.guardian().run)
        self.thread.start()

    @property
    def control(self) -> Control:
        return control.read(self.bus, "xray")

    def promote(self, version: int) -> None:
        by = By(who="me", at=now(), force=True, reason="tests")
        decisions.promote(self.bus, self.control, version, [], [], {}, by)

    def compare(self, exposure: float = 1.0, version: int = 2, **changes: object) -> None:
        running = experiment(started_at=now(), **changes)
        by = By(who="me", at=now())
        decisions.start(self.bus, self.control, running, {"b": version}, exposure, [], by)

    def predict(
        self, arm: str, version: int, seconds: float, count: int = 30, unit: str = ""
    ) -> None:
        topic = topics.PREDICTIONS if arm == CHAMPION else topics.SHADOW
        for n in range(count):
            made = prediction(
                f"{arm}{version}-{n}",
                unit or f"p{n}",
                arm,
                SCORES,
                version=version,
                seconds=seconds,
                revision=self.control.revision,
                predicted_at=now(),
            )
            headers = Headers(schema="prediction/1", upload_id=made.upload_id, created_at=now())
            message = Message(topic=topic, key=made.unit, value=made.encode(), headers=headers)
            self.bus.send([message])

    def reject(self, count: int, version: int, code: str = "internal") -> None:
        facts = {"version": str(version), "revision": str(self.control.revision)}
        headers = Headers(schema="image/1", created_at=now())
        for n in range(count):
            image = Message(topic=topics.IMAGES, key=f"p{n}", value=b"", headers=headers)
            rejected = Rejected(message=image, code=code, reason="Why.", facts=facts)
            self.bus.send([rejected.dead_letter("router")])

    def seen(self, version: int) -> float:
        """Return how many images of a version its window holds."""
        (sample,) = (
            s for s in WATCHED.collect()[0].samples if s.labels == {"version": f"{version}"}
        )
        return sample.value

    def wait(self, until: Callable[[], bool]) -> None:
        while not until():
            self.stop.wait(0.01)

    def audit(self, action: str) -> list[Audit]:
        return [a for a in decisions.history(self.bus, "xray") if a.action == action]


@pytest.fixture
def world() -> Iterator[World]:
    WATCHED.clear()
    made = World()
    made.promote(1)
    yield made
    made.stop.set()
    if made.thread.ident:
        made.thread.join()


def test_a_challenger_that_passes_a_guardrail_ends_its_experiment(world: World) -> None:
    world.compare()
    world.thread.start()
    world.predict(CHAMPION, 1, 0.1)
    world.predict("b", 2, 2.0)
    world.wait(lambda: world.control.experiment is None)
    assert world.control.champion == 1
    (entry,) = world.audit("stop")
    assert entry.decided_by == "guardian (unverified)"
    assert "Guardrail latency: version 2 must stay within 3. Received: 20" in entry.reason
    assert entry.evidence["breaches"][0]["guardrail"] == "latency"


def test_a_fresh_champion_that_passes_one_is_taken_back(world: World) -> None:
    world.predict(CHAMPION, 1, 0.1)
    world.promote(2)
    world.thread.start()
    world.predict(CHAMPION, 2, 2.0)
    world.wait(lambda: world.control.champion == 1)
    (entry,) = world.audit("rollback")
    assert (entry.who, entry.evidence["from"]) == ("guardian", 2)


def test_dead_letters_take_a_fresh_champion_back(world: World) -> None:
    world.promote(2)
    world.thread.start()
    world.predict(CHAMPION, 2, 0.1, count=20)
    world.reject(10, 2)
    world.wait(lambda: world.control.champion == 1)
    assert "errors" in world.audit("rollback")[0].reason


def test_a_challenger_that_is_well_is_on_record_once_in_its_experiment(world: World) -> None:
    world.compare()
    world.predict(CHAMPION, 1, 0.1)
    world.predict("b", 2, 0.1)
    world.thread.start()
    world.wait(lambda: bool(world.audit("watched")))
    (entry,) = world.audit("watched")
    assert (entry.evidence["version"], entry.evidence["images"]) == (2, 30)
    assert {f["guardrail"]: f["value"] for f in entry.evidence["figures"]} == {"errors": 0.0}
    decisions.keep(world.bus, "xray", 3, By(who="me", at=now()), {})  # A revision.
    world.reject(20, 1)  # Told under it, so all that was to tell is told.
    world.wait(lambda: bool(world.audit("breach")))
    assert len(world.audit("watched")) == 1


@pytest.mark.parametrize("code", ["image", "schema"])
def test_what_the_sender_did_wrong_takes_nobody_back(world: World, code: str) -> None:
    world.promote(2)
    world.reject(50, 2, code)
    world.predict(CHAMPION, 2, 0.1)
    world.thread.start()
    world.wait(lambda: WATCHED.collect()[0].samples and world.seen(2) == 30)
    assert world.control.champion == 2
    assert world.audit("breach") == []


def test_a_challengers_failures_in_shadow_are_its_own(world: World) -> None:
    world.promote(2)
    world.compare(version=3)
    world.thread.start()
    world.predict(CHAMPION, 2, 0.1)
    world.reject(20, 3)
    world.wait(lambda: world.control.experiment is None)
    assert world.control.champion == 2
    assert {a.evidence["version"] for a in world.audit("breach")} == {3}


def test_a_fresh_champion_is_taken_back_while_an_experiment_runs(world: World) -> None:
    world.promote(2)
    world.compare(version=3)
    world.thread.start()
    world.predict("b", 3, 0.1)
    world.predict(CHAMPION, 2, 0.1)
    world.reject(10, 2)
    world.wait(lambda: world.control.champion == 1)
    assert world.control.experiment is None
    assert len(world.audit("rollback")) == 1


@pytest.fixture
def refused(world: World) -> World:
    """A fresh champion that should be taken back, and a previous one that can't answer."""
    world.unready = ["Version 1 is away."]
    world.promote(2)
    world.thread.start()
    world.predict(CHAMPION, 2, 0.1, count=20)
    world.reject(10, 2)
    world.wait(lambda: world.tried >= 3)
    return world


def test_a_rollback_that_is_refused_is_tried_until_the_previous_champion_is_back(
    refused: World,
) -> None:
    assert "away" in refused.health.reason
    assert refused.control.champion == 2
    refused.unready = []
    refused.wait(lambda: refused.control.champion == 1)


def test_a_rollback_that_is_refused_is_on_record_once(refused: World) -> None:
    assert len(refused.audit("breach")) == 1
    (entry,) = refused.audit("refused")
    assert "Guardrail errors: version 2" in entry.reason
    assert "Version 1 is away." in entry.reason


def test_after_a_restart_nothing_is_on_record_twice(refused: World) -> None:
    tried = refused.tried
    refused.restart()
    refused.wait(lambda: refused.tried >= tried + 2)
    assert [len(refused.audit(action)) for action in ("breach", "refused")] == [1, 1]


def test_a_note_fences_nobody_who_decides(world: World) -> None:
    with world.bus.exclusive(control.WRITER) as person:
        decisions.note(world.bus, world.control, "breach", By(who="guardian", at=now()), {})
        person.write([])  # Stale, if the note came as the same writer.


def test_each_breach_goes_on_record_once(world: World) -> None:
    world.compare()
    world.thread.start()
    world.predict(CHAMPION, 1, 1.0)
    for _ in range(3):  # The champion is at fault: nothing is done, since the challenger is well.
        world.predict("b", 2, 0.1)
        world.reject(10, 1)
    world.wait(lambda: bool(world.audit("breach")))
    assert world.control.experiment is not None
    (entry,) = world.audit("breach")
    facts = entry.evidence["guardrail"], entry.evidence["version"], entry.evidence["blamed"]
    assert facts == ("errors", 1, False)


def test_without_anything_in_question_it_is_well_and_idle(world: World) -> None:
    world.thread.start()
    world.wait(lambda: world.health.state == "ok")
    assert structs.asdict(world.control)["revision"] == 1


def canary(world: World, *stages: float) -> None:
    world.compare(stages[0], design="split", stages=stages, stage_hours=1.0)


def test_a_canary_grows_stage_by_stage_while_nothing_is_wrong(world: World) -> None:
    canary(world, 0.01, 0.5, 0.9)
    world.predict("b", 2, 0.1, count=19)
    world.late = timedelta(hours=2)
    world.thread.start()
    world.wait(lambda: WATCHED.collect()[0].samples and world.seen(2) == 19)
    assert world.control.exposure == 0.01  # Too few images yet, however long it has lasted.
    world.predict("b", 2, 0.1, count=1)
    world.wait(lambda: world.control.exposure == 0.5)
    world.predict("b", 2, 0.1, count=19)
    world.late = timedelta(hours=4)
    world.wait(lambda: world.seen(2) == 39)
    assert world.control.exposure == 0.5  # Those of the first stage say nothing of this one.
    world.predict("b", 2, 0.1, count=1)
    world.wait(lambda: world.control.exposure == 0.9)
    assert [a.who for a in world.audit("expose")] == ["guardian", "guardian"]
    assert world.control.experiment is not None


def test_the_step_to_everybody_is_left_to_the_gate(world: World) -> None:
    canary(world, 0.01, 0.5, 1.0)
    world.late = timedelta(hours=48)
    world.predict("b", 2, 0.1)
    world.thread.start()
    world.wait(lambda: world.control.exposure == 0.5)
    world.late = timedelta(hours=96)
    for count in (40, 50):
        world.predict("b", 2, 0.1, count=count - int(world.seen(2)))
        world.wait(lambda count=count: world.seen(2) == count)
    assert world.control.exposure == 0.5


class Dribbling(MemoryBus):
    """A bus that gives who follows predictions ten messages a poll, as a long backlog comes."""

    def read(self, wanted, *, start="beginning"):
        reader = super().read(wanted, start=start)
        if topics.PREDICTIONS in wanted:
            reader.poll = lambda *, timeout: reader._take(10, timeout)
        return reader


def test_a_canary_does_not_grow_on_the_good_part_of_a_backlog(world: World) -> None:
    world.bus.__class__ = Dribbling
    canary(world, 0.01, 0.5)
    world.predict(CHAMPION, 1, 0.1)
    world.predict("b", 2, 0.1, count=35, unit="p")  # One unit's images stay in order.
    world.predict("b", 2, 9.0, count=30, unit="p")
    world.late = timedelta(hours=2)
    world.thread.start()
    world.wait(lambda: world.control.experiment is None)
    assert world.audit("expose") == []


def test_a_canary_that_passes_a_guardrail_does_not_grow(world: World) -> None:
    canary(world, 0.01, 0.5)
    world.predict(CHAMPION, 1, 0.1)
    world.predict("b", 2, 2.0)
    world.thread.start()
    world.wait(lambda: world.control.experiment is None)
    world.late = timedelta(hours=2)
    assert world.audit("expose") == []
