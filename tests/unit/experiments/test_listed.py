"""An experiment that is read by a worklist: what it listed is worked out again from the record."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from chexnet.experiments.cases import gather
from chexnet.experiments.comparison import compare
from chexnet.experiments.gate import unproven
from chexnet.experiments.worklist import drawn
from chexnet.messages import CHAMPION
from tests.unit.experiments.records import START, VERSIONS, experiment, prediction, read

E = "Effusion"
THRESHOLDS = {1: {E: 0.4}, 2: {}}
SURE, UNSURE = 0.02, 0.3  # The champion's answers: listed with 0.145 and 0.775.


def record(patients: int, *, share: float = 1.0, worse: bool = False, seed: int = 0):
    """Return predictions and reads of a `share` of what is listed, an image a patient, all absent.

    The challenger is right about what the champion is sure of, and less so about the others; or far
    worse throughout.
    """
    rng = np.random.default_rng(seed)
    predictions, reads = [], []
    for n in range(patients):
        a = UNSURE if rng.random() < 0.5 else SURE
        b = 0.9 if worse else (0.0 if a == SURE else 0.4)
        for arm, score in ((CHAMPION, a), ("b", b)):
            predictions.append(prediction(f"i{n}", f"p{n}", arm, {E: score}))
        chance = drawn("xray", f"i{n}", {E: a}, THRESHOLDS[1])
        if chance is not None and rng.random() < share:
            reads.append(read(f"i{n}", {E: "absent"}, propensity=chance))
    last = START + timedelta(days=2)
    predictions.append(prediction("z", "z", CHAMPION, {E: 0.5}, predicted_at=last))
    return predictions, reads


def compared(predictions, reads, **changes):
    given = {"metric": "brier", "lag_days": 1.0, "worklist": True, "min_cases": 300, **changes}
    e = experiment(**given)
    sample = gather(e, VERSIONS, predictions, reads, (), thresholds=THRESHOLDS)
    return compare(sample, e, "b", VERSIONS, {2: 0.5}), e


def test_what_is_read_stands_for_what_is_not_listed() -> None:
    predictions, reads = record(2000)
    found = compared(predictions, reads)[0].sequential
    # Half: 0.02^2 - 0; half: 0.3^2 - 0.4^2.
    truth = (0.0004 - 0.07) / 2
    assert found.patients == 2000
    assert found.difference.value == pytest.approx(truth, abs=0.004)
    assert (found.reads, found.listed) == (len(reads), len(reads))
    assert found.effective < 0.9 * found.reads
    plain = compared(predictions, reads, worklist=False)[0].sequential
    assert plain.difference.value < 1.5 * truth  # Mostly those of which the champion is unsure.
    # Of a weight of 6.9 five are left in the mean that only describes.
    losses = found.losses[CHAMPION]
    assert losses.clipped == pytest.approx(0.145 * 1000, abs=40)
    assert 0.045 < losses.mean.value < 0.06


def test_without_a_read_the_gate_stays_shut() -> None:
    predictions, _ = record(600, worse=True)
    found, e = compared(predictions, [], margin=-0.01, bound=0.05)
    assert (found.sequential.reads, found.sequential.patients) == (0, 600 - found.sequential.listed)
    (sentence,) = unproven(found, e)
    assert f"Received: 0 of {found.sequential.listed}." in sentence


def test_a_list_that_is_half_read_shuts_the_gate_and_draws_nobody_towards_zero() -> None:
    whole, e = compared(*record(3000, worse=True), margin=-0.2)
    half, _ = compared(*record(3000, share=0.5, worse=True), margin=-0.2)
    assert "interval of the Brier loss's difference" in unproven(whole, e)[0]
    (sentence,) = unproven(half, e)
    assert "At least 95% of the images that the worklist included must be read in time" in sentence
    almost, _ = compared(*record(3000, share=0.97, worse=True), margin=-0.2)
    assert "interval of the Brier loss's difference" in unproven(almost, e)[0]
    assert half.sequential.patients == 3000 - half.sequential.listed + half.sequential.reads


def test_an_image_of_a_patient_that_is_listed_and_unread_keeps_the_patient_out() -> None:
    listed = [f"i{n}" for n in range(60) if drawn("xray", f"i{n}", {E: UNSURE}, THRESHOLDS[1])][:3]
    predictions = [
        prediction(image, unit, arm, {E: UNSURE}, predicted_at=START)
        for image, unit in zip(listed, "ppq", strict=True)
        for arm in VERSIONS
    ]
    last = prediction("z", "z", CHAMPION, {E: 0.5}, predicted_at=START + timedelta(days=2))
    words = {"propensity": 0.775}
    reads = [read(image, {E: "absent"}, **words) for image in listed]
    both = compared([*predictions, last], reads)[0].sequential
    assert (both.patients, both.reads, both.listed) == (2, 3, 3)
    one = compared([*predictions, last], reads[1:])[0].sequential
    assert (one.patients, one.reads, one.listed) == (1, 2, 3)
    unsure = [*reads[1:], read(listed[0], {E: "unsure"}, **words)]
    assert compared([*predictions, last], unsure)[0].sequential == one


def test_reads_that_did_not_come_from_the_list_do_not_count() -> None:
    predictions, reads = record(400)
    other = [read(f.image_id, f.findings) for f in reads]  # Without a propensity.
    wrong = [read(f.image_id, f.findings, propensity=0.5) for f in reads]
    unlisted = {f"i{n}" for n in range(400)} - {f.image_id for f in reads}
    beside = [read(image, {E: "absent"}, propensity=0.775) for image in unlisted]
    for counted in (other, wrong, beside):
        found, _ = compared(predictions, counted)
        assert (found.counts.unweighted, found.sequential.reads) == (len(counted), 0)
    references = [read(f.image_id, f.findings, protocol="reference") for f in reads]
    assert compared(predictions, references)[0].sequential == compared(*record(400))[0].sequential
