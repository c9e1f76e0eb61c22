"""Notices: what each decision tells the outside, and what none of them does."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from chexnet.adapters.memory import MemoryBus
from chexnet.experiments import decisions
from chexnet.experiments.chain import Head
from chexnet.experiments.control import read
from chexnet.experiments.decisions import By
from chexnet.experiments.guardrails import Breach
from chexnet.experiments.notices import Notice, before, notices
from tests.unit.experiments.records import experiment

WHO = "p-4711"  # A pseudonym, where somebody has written it.
BY = By(who="jd", at=datetime(2026, 3, 1, tzinfo=UTC), reason=f"{WHO} looks odd", force=True)
HEAD = Head(number=3, sha256="a" * 64)
BREACH = Breach(guardrail="errors", version=2, value=0.2, limit=0.05, images=100)


@pytest.fixture
def bus() -> MemoryBus:
    """Version 1 answers, and b (version 2) is compared with it."""
    made = MemoryBus()
    decisions.promote(made, read(made, "xray"), 1, [], [], {}, BY)
    decisions.keep(made, "xray", 2, BY, {})
    decisions.start(made, read(made, "xray"), experiment(name="e"), {"b": 2}, 1.0, [], BY)
    return made


def told(bus: MemoryBus) -> list[Notice]:
    """Return what the newest entry tells."""
    entries = list(decisions.history(bus, "xray"))
    return notices(entries[-1], before(entries, entries[-1]), HEAD)


def facts(found: list[Notice]) -> list[tuple[object, ...]]:
    return [(n.event, n.champion, n.previous, n.experiment, n.outcome) for n in found]


def test_a_start_is_told_with_its_experiment(bus: MemoryBus) -> None:
    assert facts(told(bus)) == [("experiment_started", 1, None, "e", None)]


def test_a_promotion_out_of_an_experiment_decides_it(bus: MemoryBus) -> None:
    decisions.promote(bus, read(bus, "xray"), 2, [], [], {"pseudonym": WHO}, BY)
    assert facts(told(bus)) == [
        ("promoted", 2, 1, None, None),
        ("experiment_decided", 2, 1, "e", "promoted"),
    ]
    assert len({n.id for n in told(bus)}) == 2


def test_a_promotion_without_an_experiment_and_its_rollback_are_one_notice_each() -> None:
    bus = MemoryBus()
    for version in (1, 2):
        decisions.promote(bus, read(bus, "xray"), version, [], [], {}, BY)
    assert facts(told(bus)) == [("promoted", 2, 1, None, None)]
    decisions.rollback(bus, read(bus, "xray"), [], BY)
    assert facts(told(bus)) == [("rolled_back", 1, None, None, None)]


def test_a_stop_decides_the_experiment(bus: MemoryBus) -> None:
    decisions.stop(bus, read(bus, "xray"), BY, {})
    assert facts(told(bus)) == [("experiment_decided", 1, None, "e", "stopped")]


def test_a_breach_is_told_with_its_figures(bus: MemoryBus) -> None:
    evidence = msgspec.to_builtins(BREACH)
    decisions.note(bus, read(bus, "xray"), "breach", BY, evidence)
    (notice,) = told(bus)
    assert (notice.event, notice.champion, notice.experiment) == ("guardrail_breached", 1, "e")
    assert notice.breach is not None
    assert (notice.breach.guardrail, notice.breach.value, notice.breach.limit) == (
        *("errors", 0.2, 0.05),
    )


def test_a_release_an_exposure_and_a_forgotten_patient_are_not_told(bus: MemoryBus) -> None:
    decisions.keep(bus, "xray", 3, BY, {})
    assert told(bus) == []
    decisions.note(bus, read(bus, "xray"), "forget", BY, {"pseudonym_sha256": "0"})
    assert told(bus) == []


def test_no_reason_and_no_evidence_leaves_the_audit(bus: MemoryBus) -> None:
    evidence = {**msgspec.to_builtins(BREACH), "unit": WHO}
    decisions.note(bus, read(bus, "xray"), "breach", BY, evidence)
    assert [n for n in told(bus) if WHO.encode() in n.encode()] == []
    decisions.promote(bus, read(bus, "xray"), 2, [], [WHO], {"pseudonym": WHO}, BY)
    body = b"".join(n.encode() for n in told(bus))
    assert WHO.encode() not in body
    assert f'"sha256":"{HEAD.sha256}"'.encode() in body


def test_a_rollback_that_was_refused_is_told(bus: MemoryBus) -> None:
    evidence = {"version": 2, "breaches": [msgspec.to_builtins(BREACH)]}
    decisions.note(bus, read(bus, "xray"), "refused", BY, evidence)
    assert facts(told(bus)) == [("rollback_refused", 1, None, "e", None)]
