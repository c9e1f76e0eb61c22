"""Decisions: what each writes, what each refuses, and what stays loaded for routers behind."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec import structs

from chexnet import topics
from chexnet.adapters.memory import MemoryBus
from chexnet.errors import Refused, Stale
from chexnet.experiments import decisions
from chexnet.experiments.control import read
from chexnet.experiments.decisions import By
from chexnet.messages import Control, Headers, Message
from tests.unit.experiments.records import experiment

ME = By(who="me", at=datetime(2026, 1, 2, tzinfo=UTC))


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


def keep(bus: MemoryBus, version: int) -> Control:
    return decisions.keep(bus, "xray", version, ME, {"version": version})


def promote(bus: MemoryBus, version: int, **changes) -> Control:
    given = {"unready": [], "unproven": [], "evidence": {}, "by": ME} | changes
    return decisions.promote(bus, read(bus, "xray"), version, **given)


def start(bus: MemoryBus, arms=None, exposure=1.0, unready=(), **changes) -> Control:
    looked = read(bus, "xray")
    arms = {"b": 2} if arms is None else arms
    changes = {"weights": dict.fromkeys(arms, 1.0)} | changes
    return decisions.start(bus, looked, experiment(**changes), arms, exposure, unready, ME)


def rollback(bus: MemoryBus, unready=()) -> Control:
    return decisions.rollback(bus, read(bus, "xray"), unready, ME)


@pytest.fixture
def champion_1(bus: MemoryBus) -> MemoryBus:
    """Version 1 answers and version 2 waits."""
    keep(bus, 1)
    promote(bus, 1)
    keep(bus, 2)
    return bus


def holdback(bus: MemoryBus, share: float = 0.05) -> Control:
    return promote(bus, 2, holdback=share)


def last(bus: MemoryBus):
    return list(decisions.history(bus, "xray"))[-1]


def test_a_release_is_kept_loaded_once(bus: MemoryBus) -> None:
    assert keep(bus, 1).keep == (1,)
    assert keep(bus, 1).revision == 1
    assert last(bus).action == "release"


class Busy(MemoryBus):
    """A bus on which somebody else decides just before the first write here."""

    raced = False

    def exclusive(self, name):
        if not self.raced:
            self.raced = True
            decisions.keep(self, "xray", 9, ME, {})
        return super().exclusive(name)


def test_a_release_that_somebody_else_decided_during_is_kept_all_the_same() -> None:
    assert keep(Busy(), 1).keep == (9, 1)


def test_from_release_over_experiment_and_promotion_to_rollback(champion_1: MemoryBus) -> None:
    bus = champion_1
    started = start(bus)
    assert (started.champion, started.arms, started.exposure) == (1, {"b": 2}, 1.0)
    assert started.experiment is not None
    promoted = promote(bus, 2)
    assert (promoted.champion, promoted.previous, promoted.arms) == (2, 1, {})
    assert (promoted.experiment, promoted.exposure) == (None, 0.0)
    back = rollback(bus)
    assert (back.champion, back.previous) == (1, None)
    assert 2 in back.loaded  # A router may still be on its last batch with it.
    actions = [entry.action for entry in decisions.history(bus, "xray")]
    assert actions == ["release", "promote", "release", "start", "promote", "rollback"]
    assert [e.after - e.before for e in decisions.history(bus, "xray")] == [1] * 6


def test_a_second_rollback_does_not_bring_the_bad_version_back(champion_1: MemoryBus) -> None:
    promote(champion_1, 2)
    rollback(champion_1)
    with pytest.raises(Refused, match="needs a previous champion"):
        rollback(champion_1)
    assert read(champion_1, "xray").champion == 1


def test_what_lost_its_role_is_unloaded_at_the_decision_after_next(champion_1: MemoryBus) -> None:
    keep(champion_1, 3)
    start(champion_1, {"b": 2, "c": 3})
    stopped = decisions.stop(champion_1, read(champion_1, "xray"), ME, {})
    assert stopped.loaded == {1, 2, 3}
    keep(champion_1, 4)
    promoted = promote(champion_1, 3)
    assert promoted.loaded == {1, 2, 3, 4}  # 2 is newer than the champion until now: it may wait.
    assert promote(champion_1, 4).loaded == {3, 4}


def test_what_is_missing_is_refused_and_nothing_is_written(champion_1: MemoryBus) -> None:
    before = read(champion_1, "xray")
    with pytest.raises(Refused, match=r"Version 2 may not .* \(1\) Slow\. \(2\) Worse\."):
        promote(champion_1, 2, unready=["Slow."], unproven=["Worse."])
    assert read(champion_1, "xray") == before


def test_a_forced_promotion_is_on_record_with_its_reason_and_what_was_missing(
    champion_1: MemoryBus,
) -> None:
    by = structs.replace(ME, force=True, reason="The champion is broken.")
    assert promote(champion_1, 2, unproven=["Worse."], by=by).champion == 2
    entry = last(champion_1)
    assert (entry.forced, entry.reason) == (True, "The champion is broken.")
    assert entry.evidence["missing"] == ["Worse."]


def test_force_needs_a_reason_and_does_not_serve_what_is_not_loaded(champion_1: MemoryBus) -> None:
    with pytest.raises(Refused, match="must say why"):
        promote(champion_1, 2, by=structs.replace(ME, force=True))
    by = structs.replace(ME, force=True, reason="r")
    with pytest.raises(Refused, match=r"\(1\) Not loaded\.$"):
        promote(champion_1, 2, unready=["Not loaded."], unproven=["Worse."], by=by)


def test_a_decision_on_old_evidence_is_stale(champion_1: MemoryBus) -> None:
    looked = read(champion_1, "xray")
    start(champion_1)
    with pytest.raises(Stale, match=r"newest revision, 4\. Received: 3\."):
        decisions.promote(champion_1, looked, 2, [], [], {}, ME)


def test_without_a_champion_there_is_nothing_to_compare_with(bus: MemoryBus) -> None:
    with pytest.raises(Refused, match="challengers with a champion"):
        start(bus)


def test_one_experiment_runs_at_a_time(champion_1: MemoryBus) -> None:
    start(champion_1)
    with pytest.raises(Refused, match="'f' while 'e' runs"):
        start(champion_1, name="f")


def test_the_name_of_an_experiment_is_used_once(champion_1: MemoryBus) -> None:
    start(champion_1)
    decisions.stop(champion_1, read(champion_1, "xray"), ME, {})
    with pytest.raises(Refused, match="'e', used before"):
        start(champion_1)


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        ({}, "version of its own"),
        ({"b": 1}, "version of its own"),
        ({"b": 2, "c": 2}, "version of its own"),
        ({"champion": 2}, "neither 'champion'"),
        ({"B!": 2}, "'B!'"),
    ],
)
def test_arms_have_names_and_versions_of_their_own(
    champion_1: MemoryBus, arms: dict[str, int], message: str
) -> None:
    with pytest.raises(Refused, match=message):
        start(champion_1, arms)


@pytest.mark.parametrize(
    ("design", "exposure"), [("shadow", 0.0), ("shadow", 1.1), ("split", 1.0), ("split", -0.5)]
)
def test_an_exposure_includes_some_and_a_split_not_all(
    champion_1: MemoryBus, design: str, exposure: float
) -> None:
    with pytest.raises(Refused, match="exposure of a"):
        start(champion_1, design=design, exposure=exposure)


def test_a_version_that_is_not_ready_is_no_arm(champion_1: MemoryBus) -> None:
    with pytest.raises(Refused, match=r"^Loading\.$"):
        start(champion_1, unready=["Loading."])


def test_exposure_only_grows(champion_1: MemoryBus) -> None:
    start(champion_1, exposure=0.1)
    assert decisions.expose(champion_1, read(champion_1, "xray"), 0.5, ME).exposure == 0.5
    for smaller in (0.5, 0.2, 1.5):
        with pytest.raises(Refused, match=r"from 0\.5 up to 1"):
            decisions.expose(champion_1, read(champion_1, "xray"), smaller, ME)


def test_nothing_running_can_be_neither_stopped_nor_widened(champion_1: MemoryBus) -> None:
    looked = read(champion_1, "xray")
    with pytest.raises(Refused, match="running experiment"):
        decisions.stop(champion_1, looked, ME, {})
    with pytest.raises(Refused, match="running experiment"):
        decisions.expose(champion_1, looked, 0.5, ME)


def test_a_promotion_may_leave_a_share_with_the_champion_until_now(champion_1: MemoryBus) -> None:
    held = holdback(champion_1)
    assert (held.champion, held.previous, held.holdback.share) == (2, 1, 0.05)
    kept = keep(champion_1, 3)
    assert kept.holdback == held.holdback  # A release is no decision.
    assert last(champion_1).control == kept


@pytest.mark.parametrize(
    "decide",
    [
        lambda bus: promote(bus, 3),
        rollback,
        lambda bus: start(bus, {"c": 3}),
        lambda bus: decisions.end_holdback(bus, read(bus, "xray"), ME),
    ],
    ids=["promote", "rollback", "start", "end"],
)
def test_the_next_decision_ends_it(champion_1: MemoryBus, decide) -> None:
    keep(champion_1, 3)
    holdback(champion_1)
    assert decide(champion_1).holdback is None


def test_two_promotions_hold_back_others(champion_1: MemoryBus) -> None:
    first = holdback(champion_1)
    assert promote(champion_1, 3, holdback=0.05).holdback.salt != first.holdback.salt


@pytest.mark.parametrize("share", [-0.1, 0.51, 1.0])
def test_a_share_that_is_none_is_refused(champion_1: MemoryBus, share: float) -> None:
    with pytest.raises(Refused, match=r"above 0 and at most 0\.5"):
        holdback(champion_1, share)


def test_nobody_can_be_held_back_before_the_first_champion(bus: MemoryBus) -> None:
    keep(bus, 1)
    with pytest.raises(Refused, match="before the first"):
        promote(bus, 1, holdback=0.05)


def test_only_a_holdback_that_there_is_can_be_ended(champion_1: MemoryBus) -> None:
    with pytest.raises(Refused, match="with none"):
        decisions.end_holdback(champion_1, read(champion_1, "xray"), ME)


def test_no_arm_is_called_as_what_a_holdback_answers_with(champion_1: MemoryBus) -> None:
    with pytest.raises(Refused, match="'previous'"):
        start(champion_1, {"previous": 2})


def test_the_history_passes_over_what_this_version_can_not_read() -> None:
    bus = MemoryBus()
    headers = Headers(schema="audit/1", created_at=ME.at)
    bus.send([Message(topic=topics.AUDIT, key="xray", value=b"{}", headers=headers)])
    keep(bus, 1)
    assert [entry.action for entry in decisions.history(bus, "xray")] == ["release"]
