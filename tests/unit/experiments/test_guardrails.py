"""Each guardrail says nothing of what is usual, and names what is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from msgspec import structs

from chexnet.evaluation import drift
from chexnet.evaluation.drift import Reference
from chexnet.experiments import guardrails
from chexnet.experiments.guardrails import Breach, Window
from chexnet.messages import Prediction, Tensor
from chexnet.settings import GuardrailSettings
from tests.unit.experiments.records import prediction

LIMITS = GuardrailSettings()
AT = datetime(2026, 1, 2, tzinfo=UTC)
RANDOM = np.random.default_rng(1)
LABELS = ("Left", "Right")
FEATURES = RANDOM.normal(2, 1, (3000, 8))
SCORES = RANDOM.beta(2, 8, (3000, 2))
MEAN, STD = FEATURES.mean(axis=0), FEATURES.std(axis=0)
USUAL = Reference(
    mean=MEAN,
    std=STD,
    deciles=drift.deciles(SCORES),
    distance=float(np.quantile(drift.distances(FEATURES, MEAN, STD), drift.FAR)),
)


def made(n: int) -> Prediction:
    return structs.replace(
        prediction(f"i{n}", f"p{n}", "b", dict(zip(LABELS, SCORES[n], strict=True))),
        features=Tensor.of(FEATURES[n]),
        seconds=0.1 + n % 10 / 100,
    )


def window(**changes: object) -> Window:
    filled = Window(LIMITS)
    for n in range(200):
        filled.add(structs.replace(made(n), **changes))
    return filled


def breaches(own: Window, **more: object) -> list[Breach]:
    return guardrails.passed(guardrails.measure(2, own, USUAL, LIMITS, **more))


def test_what_is_usual_passes_no_guardrail() -> None:
    assert breaches(window(), beside=window()) == []


def test_too_few_images_say_nothing() -> None:
    few = Window(LIMITS)
    for n in range(LIMITS.images - 1):
        few.add(structs.replace(made(n), seconds=60.0))
    assert breaches(few, beside=window()) == []


def test_a_slow_version_is_measured_against_the_one_beside_it() -> None:
    (found,) = breaches(window(seconds=1.9), beside=window(seconds=0.19))
    assert (found.guardrail, found.value) == ("latency", pytest.approx(10))
    assert "version 2 must stay within 3. Received: 10" in str(found)
    assert breaches(window(seconds=1.9)) == []
    assert breaches(window(seconds=0.9), beside=window(seconds=0.01)) == []  # Fast enough.


def test_dead_letters_count_by_share() -> None:
    failing = window()
    failing.rejected = 50
    (found,) = breaches(failing)
    assert (found.guardrail, found.value) == ("errors", pytest.approx(0.2))


def test_a_share_just_beyond_its_limit_may_be_chance() -> None:
    mixed = window()
    mixed.rejected = 11  # Of 211: 5.2 %, where 5 % are the limit.
    assert breaches(mixed) == []
    some = Window(LIMITS)
    for n in range(240):
        far = {"features": Tensor.of(np.full(8, 9.0))} if n % 10 == 0 or n == 1 else {}
        some.add(structs.replace(made(n), **far))
    assert "outliers" not in {b.guardrail for b in breaches(some)}  # 10.4 %, of 240.


def test_scores_that_moved_are_named_by_label() -> None:
    moved = window(probabilities={"Left": 0.9, "Right": 0.2})
    assert ("scores", "Left") in {(b.guardrail, b.label) for b in breaches(moved)}


@pytest.mark.parametrize(
    ("features", "passed"), [(np.full(8, 3.0), {"features"}), (np.full(8, 9.0), {"outliers"})]
)
def test_images_of_another_kind_are_found(features: np.ndarray, passed: set[str]) -> None:
    found = {b.guardrail for b in breaches(window(features=Tensor.of(features)))}
    assert passed <= found <= {"features", "outliers"}


def test_a_card_without_references_leaves_drift_alone() -> None:
    moved = window(features=Tensor.of(np.full(8, 9.0)))
    assert guardrails.passed(guardrails.measure(2, moved, None, LIMITS)) == []


def test_calibration_is_told_on_what_was_read() -> None:
    known = {f"i{n}": {"Left": "present", "Right": "present"} for n in range(200)}
    (found,) = breaches(window(), known=known)
    assert found.guardrail == "calibration"
    assert guardrails.blamed([found], []) == []


def test_what_the_champion_has_too_is_the_worlds() -> None:
    moved = window(features=Tensor.of(np.full(8, 9.0)), seconds=60.0)
    own = breaches(moved, beside=window())
    assert {b.guardrail for b in own} >= {"features", "outliers", "latency"}
    shared = [b for b in own if b.guardrail != "latency"]
    assert [b.guardrail for b in guardrails.blamed(own, shared)] == ["latency"]
    assert [b.guardrail for b in guardrails.blamed(own, None)] == ["latency"]
    assert {b.guardrail for b in guardrails.blamed(own, [])} >= {"features", "outliers"}


def drifted(label: str, value: float, version: int = 2) -> Breach:
    given = {"guardrail": "scores", "limit": 0.25, "images": 500}
    return Breach(version=version, value=value, label=label, **given)


@pytest.mark.parametrize(
    ("own", "others", "blamed"),
    [
        (drifted("Left", 0.4), drifted("Left", 0.4, 1), False),  # The world's, in this label.
        (drifted("Right", 0.4), drifted("Left", 0.4, 1), True),  # The champion is well in this one.
        (drifted("Left", 5.0), drifted("Left", 0.4, 1), True),  # Far more than the world explains.
    ],
)
def test_the_champions_drift_spares_the_same_label_and_about_as_much(
    own: Breach, others: Breach, blamed: bool
) -> None:
    assert guardrails.blamed([own], [others]) == ([own] if blamed else [])


def test_the_newest_images_are_so_by_their_moments_and_not_as_they_were_read() -> None:
    filled, limits = Window(LIMITS), LIMITS.window
    moments = [AT + timedelta(minutes=n) for n in range(limits + 50)]
    for moment in [*moments[100:], *moments[:100]]:
        filled.add(structs.replace(made(0), predicted_at=moment))
    assert [p.predicted_at for p in filled.newest] == moments[50:]
    assert filled.answered == limits + 50
