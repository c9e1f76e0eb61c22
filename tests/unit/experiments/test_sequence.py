"""The sequential metric, from records to the gate: losses by hand, and what it must not count."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from chexnet.experiments.cases import gather
from chexnet.experiments.comparison import compare
from chexnet.experiments.gate import unproven
from chexnet.messages import CHAMPION
from tests.unit.experiments.records import START, VERSIONS, experiment, prediction, read

E, M = "Effusion", "Mass"
CHANGES = {"metric": "brier", "lag_days": 0.5, "min_cases": 300}


def records(rows, split=()):
    """From rows of (patient, champion's scores, challenger's scores, findings), a day each.

    With `split` each row is answered by that arm alone; the record goes on for another day.
    """
    predictions, reads = [], []
    for n, (unit, a, b, findings) in enumerate(rows):
        day = START + timedelta(days=n)
        moment = {"uploaded_at": day, "predicted_at": day}
        for arm, scores in ((CHAMPION, a), ("b", b)):
            if split and split[n] != arm:
                continue
            changes = {**moment, "kind": "answer"} if split else moment
            said = dict(zip((E, M), scores, strict=False))
            predictions.append(prediction(f"i{n}", unit, arm, said, **changes))
        reads.append(read(f"i{n}", findings, recorded_at=day))
    last = START + timedelta(days=len(rows))
    predictions.append(
        prediction("last", "last", CHAMPION, {E: 0.5}, uploaded_at=last, predicted_at=last)
    )
    return predictions, reads


def compared(predictions, reads, training=(), **changes):
    e = experiment(**{**CHANGES, **changes})
    sample = gather(e, VERSIONS, predictions, reads, training)
    return compare(sample, e, "b", VERSIONS, {2: 0.5}), e


def test_a_patients_value_by_hand() -> None:
    rows = [
        # Champion (.8 - 1)^2 = .04 and (.4 - 0)^2 = .16: .10; challenger .01 and .09: .05.
        ("p", (0.8, 0.4), (0.9, 0.3), {E: "present", M: "absent"}),
        ("q", (0.5, 0.1), (0.1, 0.9), {E: "absent", M: "unsure"}),  # .25 - .01; Mass in no count.
    ]
    found = compared(*records(rows))[0].sequential
    assert found.patients == 2
    assert found.difference.value == pytest.approx((0.05 + 0.24) / 2)
    assert found.spread == pytest.approx(0.19 / 2**0.5)
    assert (found.labels, found.cut, found.effective) == ((E, M), 0, 2)


def test_images_of_a_patient_are_one_value() -> None:
    rows = [("p", (0.5,), (0.5,), {E: "absent"})] + [("q", (0.5,), (0.1,), {E: "absent"})] * 3
    found = compared(*records(rows), lag_days=3.5)[0].sequential
    assert found.patients == 1  # The record ends before the lag of q, who came on day 1.
    found = compared(*records([*rows, rows[0]]), lag_days=3.5)[0].sequential
    assert (found.patients, found.reads) == (2, 4)
    assert found.difference.value == pytest.approx(0.24 / 2)


def test_a_value_beyond_the_bound_is_cut_and_counted() -> None:
    found = compared(*records([("p", (1.0,), (0.0,), {E: "absent"})]), bound=0.25)[0].sequential
    assert (found.difference.value, found.cut) == (0.25, 1)


def test_a_label_that_one_arm_does_not_know_is_in_no_loss() -> None:
    rows = [("p", (0.5, 0.9), (0.5,), {E: "present", M: "absent"})]
    found = compared(*records(rows))[0].sequential
    assert (found.labels, found.difference.value) == ((E,), 0)


def noisy(rng, patients):
    truth = rng.random(patients) < 0.3
    return [
        (f"p{n}", (0.5,), (0.8 * y + 0.1,), {E: "present" if y else "absent"})
        for n, y in enumerate(truth)
    ]


def test_a_much_better_challenger_passes_the_gate_early_and_a_worse_one_never() -> None:
    rows = noisy(np.random.default_rng(0), 60)
    good, e = compared(*records(rows))
    assert unproven(good, e) == []  # With 60 of 300 planned patients.
    bad, e = compared(*records([(u, b, a, f) for u, a, b, f in rows]))
    (sentence,) = unproven(bad, e)
    assert (
        "The 95% interval of the Brier loss's difference, champion - b, must lie above" in sentence
    )
    assert "look again whenever you like" in sentence


def test_before_the_first_patient_has_entered_the_gate_says_who_waits() -> None:
    nothing, e = compared([prediction("i", "p", arm, {E: 0.5}) for arm in VERSIONS], [])
    (sentence,) = unproven(nothing, e)
    assert "Received: none, and 1 who wait. Record blinded reads within 0.5 days." in sentence


def test_a_split_counts_a_patient_in_the_arm_of_the_first_image() -> None:
    rng = np.random.default_rng(0)
    rows = noisy(rng, 200)
    arms = [CHAMPION if rng.random() < 0.5 else "b" for _ in rows]
    comparison, _ = compared(*records(rows, split=arms), design="split")
    assert comparison.sequential.patients == 200
    # Losses are .25 and .01, by assignment only.
    assert comparison.sequential.difference.low < 0.24 < comparison.sequential.difference.high
    assert comparison.sequential.difference.low > 0
    moved = [*rows, ("p0", (0.5,), (0.9,), {E: "absent"})]
    again = [*arms, "b" if arms[0] == CHAMPION else CHAMPION]
    predictions, reads = records(moved, split=again)
    both, _ = compared(predictions, reads, design="split", lag_days=300)
    assert both.sequential.patients == 0  # Nobody's lag is over.
    both, _ = compared(predictions, reads, design="split")
    assert both.sequential == comparison.sequential


def test_the_spread_of_a_split_is_that_of_the_loss_in_an_arm() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random(40)
    arms = [CHAMPION, "b"] * 20
    rows = [(f"p{n}", (x,), (x,), {E: "absent"}) for n, x in enumerate(scores)]
    found = compared(*records(rows, split=arms), design="split")[0].sequential
    # A plan multiplies it by the shares: that of the weighted values would count them twice.
    own = [scores[start::2] ** 2 for start in (0, 1)]
    wanted = np.sqrt(sum(x.var() * 20 for x in own) / 38)
    assert found.spread == pytest.approx(wanted)
    assert found.losses["b"].mean.value == pytest.approx(own[1].mean())


def test_arms_share_the_error() -> None:
    rows = noisy(np.random.default_rng(0), 40)
    weights = {"b": 1.0, "c": 1.0, "d": 2.0}
    alone, _ = compared(*records(rows))
    three, _ = compared(*records(rows), weights=weights)
    assert three.confidence == pytest.approx(1 - 0.05 / 3)
    assert three.sequential.difference.low < alone.sequential.difference.low
