"""Assignment: sticky, recomputable, and exposure moves nobody who is included."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from chexnet.errors import Unavailable
from chexnet.experiments.assignment import Assignment, assign, included, pick, uniform
from chexnet.messages import PREVIOUS, Control, Experiment, Holdback, decode_json

UNITS = [f"patient-{i}" for i in range(20_000)]


def control(
    design: Literal["shadow", "split"],
    exposure: float,
    weights: Mapping[str, float] | None = None,
    salt: str = "salt",
) -> Control:
    weights = {"b": 1.0} if weights is None else dict(weights)
    experiment = Experiment(
        name="e",
        design=design,
        salt=salt,
        weights=weights,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        started_by="me",
    )
    arms = {arm: 10 + i for i, arm in enumerate(sorted(weights))}
    empty = Control.empty("xray")
    return structs.replace(empty, champion=1, experiment=experiment, arms=arms, exposure=exposure)


weights_of_arms = st.dictionaries(
    st.text("bcdef", min_size=1, max_size=3), st.floats(0.01, 10), min_size=1, max_size=4
)


def test_the_hash_is_sha256_over_parts_behind_their_lengths() -> None:
    framed = b"".join(len(p).to_bytes(8, "big") + p for p in (b"salt", b"expose", b"p\xc3\xa9"))
    first_53_bits = int(hashlib.sha256(framed).hexdigest(), 16) >> (256 - 53)
    assert uniform("salt", "expose", "pé") == first_53_bits / 2**53


@given(st.text(), st.text(), st.text())
def test_the_hash_is_in_the_unit_interval_and_parts_do_not_run_together(
    a: str, b: str, c: str
) -> None:
    assert 0 <= uniform(a, b, c) < 1
    if b:
        assert uniform(a, b + c) != uniform(a + b, c)


@given(st.text(), st.floats(0, 1), st.floats(0, 1), weights_of_arms)
def test_a_growing_exposure_never_moves_a_unit_that_is_included(
    unit: str, one: float, other: float, weights: dict[str, float]
) -> None:
    less, more = sorted((one, other))
    before = assign(control("split", less, weights), unit)
    if included("salt", unit, less):
        assert assign(control("split", more, weights), unit) == before
    else:
        assert before == Assignment(("champion", 1), {})


@given(st.text(), weights_of_arms)
def test_an_arm_depends_on_shares_and_names_not_on_scale_or_order(
    unit: str, weights: dict[str, float]
) -> None:
    backwards = dict(reversed(weights.items()))
    assert pick("salt", unit, backwards) == pick("salt", unit, weights)
    halved = {arm: w / 2 for arm, w in weights.items()}  # By two: exact in floats.
    assert pick("salt", unit, halved) == pick("salt", unit, weights)


def test_shares_converge_to_exposure_and_weights() -> None:
    split = control("split", 0.6, {"b": 1.0, "c": 2.0, "d": 3.0})
    got = Counter(assign(split, unit).answer[0] for unit in UNITS)
    for arm, share in {"champion": 0.4, "b": 0.1, "c": 0.2, "d": 0.3}.items():
        # Five standard deviations of a binomial share of 20,000.
        assert got[arm] / len(UNITS) == pytest.approx(share, abs=5 * (0.25 / len(UNITS)) ** 0.5)


def test_inclusion_and_arm_are_independent() -> None:
    weights = {"b": 1.0, "c": 1.0}
    inside = [unit for unit in UNITS if included("salt", unit, 0.3)]
    share = sum(pick("salt", unit, weights) == "b" for unit in inside) / len(inside)
    assert share == pytest.approx(0.5, abs=5 * (0.25 / len(inside)) ** 0.5)


def test_another_salt_is_another_experiment() -> None:
    weights = {"b": 1.0, "c": 1.0}
    same = sum(pick("one", unit, weights) == pick("two", unit, weights) for unit in UNITS)
    assert same / len(UNITS) == pytest.approx(0.5, abs=5 * (0.25 / len(UNITS)) ** 0.5)


def test_in_shadow_the_champion_answers_and_every_challenger_shadows() -> None:
    shadow = control("shadow", 1.0, {"b": 1.0, "c": 1.0})
    assert assign(shadow, "anyone") == Assignment(("champion", 1), {"b": 10, "c": 11})


def test_whom_a_shadow_experiment_leaves_out_nothing_shadows() -> None:
    assert assign(control("shadow", 0.0), "anyone") == Assignment(("champion", 1), {})


def test_without_an_experiment_the_champion_answers() -> None:
    plain = structs.replace(Control.empty("xray"), champion=4, exposure=1.0)
    assert assign(plain, "anyone") == Assignment(("champion", 4), {})


def test_without_a_champion_images_wait() -> None:
    with pytest.raises(Unavailable, match=r"revision 0 of xray.*chexnet promote"):
        assign(Control.empty("xray"), "anyone")


def held(share: float, salt: str = "held") -> Control:
    holdback = Holdback(share=share, salt=salt)
    return structs.replace(Control.empty("xray"), champion=2, previous=1, holdback=holdback)


def test_a_holdback_leaves_its_share_with_the_previous_champion() -> None:
    arms = Counter(assign(held(0.05), unit).answer for unit in UNITS)
    assert set(arms) == {("champion", 2), (PREVIOUS, 1)}
    # Binomial: 20,000 units at 5 %, of which the standard deviation is 31.
    assert abs(arms[PREVIOUS, 1] - 1000) < 5 * 31


def test_who_is_held_back_can_be_computed_from_the_record_alone() -> None:
    recorded = decode_json(held(0.3).encode(), Control)
    for unit in UNITS[:200]:
        framed = b"".join(len(p).to_bytes(8, "big") + p for p in (b"held", b"hold", unit.encode()))
        at = (int(hashlib.sha256(framed).hexdigest(), 16) >> (256 - 53)) / 2**53
        assert assign(recorded, unit).answer == ((PREVIOUS, 1) if at < 0.3 else ("champion", 2))


def test_who_is_held_back_stays_whatever_revision_it_is() -> None:
    later = structs.replace(held(0.3), revision=9, keep=(3,))
    assert [assign(later, unit) for unit in UNITS] == [assign(held(0.3), unit) for unit in UNITS]


def test_a_record_from_before_holdbacks_holds_nobody_back() -> None:
    old = held(0.3).encode().replace(b',"holdback":{"share":0.3,"salt":"held"}', b"")
    assert b"holdback" not in old
    control = decode_json(old, Control)
    assert {assign(control, unit).answer for unit in UNITS} == {("champion", 2)}
