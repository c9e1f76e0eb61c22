"""What is seen of versions: whose figure it is, and what nobody can tell yet."""

from __future__ import annotations

import pytest
from msgspec import structs

from chexnet import topics
from chexnet.experiments.questioned import Question, Stage, Watch
from chexnet.experiments.seen import Seen
from chexnet.messages import CHAMPION, Control, Headers, Message, Rejected
from tests.unit.experiments.records import START, prediction
from tests.unit.experiments.test_guardrails import LIMITS, USUAL

CONTROL = structs.replace(Control.empty("xray"), revision=9, champion=1, arms={"b": 2})
B = Question(version=2, against=1, revision=7)
WATCH = Watch(control=CONTROL, questions=(B,), since=START, stage=Stage(revision=9, began=START))
HEADERS = Headers(schema="prediction/1", created_at=START)
MOVED = {"Left": 0.99, "Right": 0.99}  # Not as `USUAL` has it.


def said(version: int, count: int, revision: int = 9) -> list[Message]:
    arm = CHAMPION if version == 1 else "b"
    made = [
        prediction(f"i{n}", f"p{n}", arm, MOVED, version=version, revision=revision)
        for n in range(count)
    ]
    return [
        Message(topic=topics.SHADOW, key=p.unit, value=p.encode(), headers=HEADERS) for p in made
    ]


@pytest.fixture
def seen() -> Seen:
    return Seen(WATCH, lambda _: USUAL, LIMITS)


def test_a_drift_that_may_be_the_worlds_is_nobodys_fault_and_yet_not_well(seen: Seen) -> None:
    seen.take(said(2, LIMITS.images) + said(1, LIMITS.images - 1))
    assert seen.blamed(B) == []
    assert {b.guardrail for b in seen.doubted(B)} == {"scores"}
    assert not seen.well(B)


def test_once_the_other_version_shows_it_too_it_is_the_worlds(seen: Seen) -> None:
    seen.take(said(2, LIMITS.images) + said(1, LIMITS.images))
    assert (seen.blamed(B), seen.doubted(B), seen.well(B)) == ([], [], True)


def test_what_a_version_did_before_its_role_or_stage_does_not_count(seen: Seen) -> None:
    seen.take(said(2, LIMITS.images, revision=6))
    assert len(seen.windows[2]) == 0
    seen.take(said(2, LIMITS.images, revision=8))
    assert (len(seen.windows[2]), seen.shown(B)) == (LIMITS.images, False)
    seen.take(said(2, LIMITS.images))
    assert seen.shown(B)


@pytest.mark.parametrize(
    ("code", "facts", "count"),
    [
        ("internal", {"version": "2", "revision": "7"}, 1),
        ("internal", {"version": "2", "revision": "6"}, 0),  # In another role.
        ("internal", {"version": "3", "revision": "9"}, 0),  # Another version.
        ("internal", {}, 0),  # A letter from before they named it.
        ("image", {"version": "2", "revision": "9"}, 0),  # The sender's fault.
    ],
)
def test_a_dead_letter_counts_against_the_version_that_failed(
    seen: Seen, code: str, facts: dict[str, str], count: int
) -> None:
    image = Message(topic=topics.IMAGES, key="p", value=b"", headers=HEADERS)
    seen.take([Rejected(message=image, code=code, reason="Why.", facts=facts).dead_letter()])
    assert seen.windows[2].rejected == count
