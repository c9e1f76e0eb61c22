"""The operations page without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chexnet import topics
from chexnet.errors import Forbidden, Unavailable
from chexnet.experiments import control
from chexnet.ui import Operations
from tests.unit.experiments.test_flow import World
from tests.unit.ui.deciding import a_world, wiring_of


@pytest.fixture
def world(tmp_path: Path) -> World:
    return a_world(tmp_path)


@pytest.fixture
def page(world: World) -> Iterator[Operations]:
    yield from opened(world)


def opened(world: World, person: str = "", **options: Any) -> Iterator[Operations]:
    page = Operations(person=person, wiring=wiring_of(world, **options))
    page.settled()
    yield page
    page.close()


def press(page: Operations, **message: Any) -> None:
    """Press a button of the page as it is shown now."""
    seen = {"revision": page.state["sections"]["control"].get("revision")}
    page._handle_custom_msg({**seen, **message}, [])
    page.settled()


def shown(page: Operations, section: str) -> Any:
    return page.state["sections"][section]


def test_what_decides_is_apart_from_what_only_describes(page) -> None:
    running = shown(page, "experiment")["running"]
    (arm,) = running["evidence"]["arms"]
    assert arm["decides"]["name"].startswith("Macro AUROC")
    assert arm["decides"]["low"] > 0  # b parts the images better: records of World say so.
    assert [one["name"] for one in arm["describes"]] == ["Effusion", "Mass"]
    assert [(a["arm"], a["share"]) for a in running["arms"]] == [("champion", 1.0), ("b", 0.0)]


def test_a_stop_is_a_decision_with_its_reason_in_the_audit(page, world) -> None:
    press(page, type="stop", reason="Enough was seen.")
    assert control.read(world.bus, "xray").experiment is None
    assert shown(page, "experiment")["running"] is None
    newest = shown(page, "audit")["entries"][0]
    assert (newest["action"], newest["reason"]) == ("stop", "Enough was seen.")


def test_the_audit_has_the_name_of_who_said_one(world) -> None:
    for page in opened(world, person="Ada (unverified)"):
        press(page, type="stop", reason="")
        assert shown(page, "audit")["entries"][0]["who"] == "Ada (unverified)"


def test_whom_the_broker_knows_is_who_decides_whatever_was_said(world) -> None:
    for page in opened(world, person="Ada (unverified)", principal="operator"):
        press(page, type="stop", reason="")
        assert shown(page, "audit")["entries"][0]["who"] == "operator"


def test_what_went_wrong_before_is_not_said_of_the_next_press(page) -> None:
    press(page, type="stop", reason="", revision=0)
    assert page.state["problem"]
    told: list[str] = []
    page.observe(lambda change: told.append(change.new["problem"]), names="state")
    press(page, type="stop", reason="")
    assert set(told) == {""}


def test_limits_are_told_with_what_they_are_of(page) -> None:
    limits = shown(page, "guardrails")["limits"]
    assert limits[:2] == ["latency 3 times the other version's", "errors 5% of images"]


def test_a_promotion_asks_the_gate_again_and_a_rollback_takes_it_back(page, world) -> None:
    press(page, type="promote", version=2, reason="It is better.")
    assert page.state["told"].startswith("Version 2 is the champion"), page.state["problem"]
    assert control.read(world.bus, "xray").champion == 2
    assert shown(page, "control")["previous"] == 1
    press(page, type="rollback", reason="Scores dropped.")
    assert control.read(world.bus, "xray").champion == 1
    assert [e["action"] for e in shown(page, "audit")["entries"][:2]] == ["rollback", "promote"]


def test_a_promotion_without_evidence_is_refused_with_what_is_missing(world) -> None:
    for page in opened(world):
        press(page, type="stop", reason="")
        press(page, type="promote", version=2, reason="")
        assert "must" in page.state["problem"]
        assert control.read(world.bus, "xray").champion == 1


def test_a_version_that_is_not_served_is_not_promoted(page, world) -> None:
    world.replica.states_by_version[2] = "LOADING"
    press(page, type="promote", version=2, reason="")
    assert "AVAILABLE on every replica" in page.state["problem"]
    assert control.read(world.bus, "xray").champion == 1


def test_an_experiment_starts_from_the_page(page, world) -> None:
    press(page, type="stop", reason="")
    wanted = {"name": "again", "arm": "challenger", "version": 2, "design": "shadow", "cases": 50}
    press(page, type="start", **wanted)
    running = control.read(world.bus, "xray").experiment
    assert (running.name, running.design, running.min_cases) == ("again", "shadow", 50)
    press(page, type="start", **wanted)
    assert "one" in page.state["problem"].lower()  # One experiment runs at a time.


@pytest.mark.parametrize(
    "wanted",
    [
        {"type": "stop", "reason": ""},
        {"type": "promote", "version": 2, "reason": ""},
        {"type": "rollback", "reason": ""},
        {"type": "start", "name": "n", "arm": "c", "version": 2},
    ],
    ids=lambda wanted: wanted["type"],
)
def test_a_reader_decides_nothing(world, wanted) -> None:
    for page in opened(world, principal="reader"):
        before = control.read(world.bus, "xray")
        assert shown(page, "control")["may"] is False
        press(page, **wanted)
        assert "Only an operator decides" in page.state["problem"]
        assert control.read(world.bus, "xray") == before


def test_a_decision_on_what_is_no_longer_so_is_refused(page, world) -> None:
    press(page, type="stop", reason="", revision=page._looked.revision - 1)
    assert "must be made on what is shown" in page.state["problem"]
    assert control.read(world.bus, "xray").experiment is not None
    world.promote(2)  # Somebody else, since the page looked.
    press(page, type="stop", reason="")
    assert "must start from its newest revision" in page.state["problem"]


def test_a_section_that_can_not_be_looked_at_says_so_and_the_others_stand(world) -> None:
    read = world.bus.read

    def forbidden(wanted: Any, **options: Any) -> Any:
        wanted = list(wanted)
        if topics.UPLOADS.dlq in wanted:
            raise Forbidden("The broker must allow this.")
        return read(wanted, **options)

    world.bus.read = forbidden
    for page in opened(world):
        assert shown(page, "letters")["problem"] == "The broker must allow this."
        assert shown(page, "experiment")["running"]["name"] == "e"
        assert page.state["problem"] == ""


def test_a_reader_is_shown_the_dead_letters_that_it_may_read(world) -> None:
    for page in opened(world, principal="reader"):
        assert {letter["topic"] for letter in shown(page, "letters")["letters"]} == {"uploads"}


def test_a_bus_that_is_away_is_told_in_words_and_looked_for_again(world, monkeypatch) -> None:
    read = world.bus.read

    def away(*args: Any, **options: Any) -> Any:
        raise Unavailable("Waiting for Kafka at 127.0.0.1:9092.")

    monkeypatch.setattr(world.bus, "read", away)
    for page in opened(world):
        assert "Waiting for Kafka" in shown(page, "control")["problem"]
        monkeypatch.setattr(world.bus, "read", read)
        press(page, type="refresh")
        assert shown(page, "control")["problem"] == ""
        assert shown(page, "experiment")["running"]["name"] == "e"


def test_who_may_not_write_control_is_told_so(page, world, monkeypatch) -> None:
    @contextmanager
    def forbidden(name: str) -> Any:
        raise Unavailable(f"The broker does not let this user write {name}.")
        yield

    monkeypatch.setattr(world.bus, "exclusive", forbidden)
    press(page, type="stop", reason="")
    assert "does not let this user" in page.state["problem"]
    assert shown(page, "experiment")["running"]["name"] == "e"


def test_dead_letters_are_listed_without_bytes_and_go_back_once(page, world) -> None:
    letters = shown(page, "letters")["letters"]
    assert [letter["error"] for letter in letters] == ["unreadable"] * 2
    assert "film" not in str(letters)
    before = len(list(world.bus.read([topics.UPLOADS]).to_end()))
    press(page, type="replay", topic="uploads")
    assert page.state["told"].startswith("Sent 2 of uploads.dlq")
    press(page, type="replay", topic="uploads")
    assert page.state["told"].startswith("Sent 0 of uploads.dlq")
    assert len(list(world.bus.read([topics.UPLOADS]).to_end())) == before + 2
