"""A look changes nothing that an earlier one saw: late reads, late answers, clocks that are off."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest

from chexnet.experiments.cases import gather
from chexnet.experiments.exposures import accrue, first_exposures, sample_ratio
from chexnet.messages import CHAMPION
from tests.unit.experiments.records import START, VERSIONS, experiment, prediction, read

E = "Effusion"


def at(days: float):
    return START + timedelta(days=days)


def month(seed: int, design: str):
    """Return predictions and reads of 60 patients: some answers and many reads come late."""
    rng = np.random.default_rng(seed)
    predictions, reads = [], []
    for n in range(120):
        unit, image = f"p{rng.integers(60)}", f"i{rng.integers(100)}"
        day = rng.uniform(0, 20)
        arms = list(VERSIONS) if design == "shadow" else [list(VERSIONS)[int(unit[1:]) % 2]]
        for arm in arms:
            late = rng.exponential(0.01 if rng.random() < 0.8 else 8)
            moment = {"uploaded_at": at(day), "predicted_at": at(day + late)}
            changes = {**moment, "upload_id": f"u{n}"}
            if design != "shadow":
                changes["kind"] = "answer"
            predictions.append(prediction(image, unit, arm, {E: rng.random()}, **changes))
        for _ in range(rng.integers(3)):
            word = str(rng.choice(["present", "absent", "unsure", "not_assessed"]))
            reads.append(read(image, {E: word}, recorded_at=at(day + rng.exponential(6))))
    return predictions, reads


def look(now: float, records, **changes):
    """Return each arm's rows as somebody sees them who looks at day `now`."""
    predictions, reads = records
    known = [p for p in predictions if p.predicted_at <= at(now)]
    said = [f for f in reads if f.recorded_at <= at(now)]
    sample = gather(experiment(**changes), VERSIONS, known, said, (), until=at(now))
    return [
        list(zip(side.scores.ravel(), side.truth.ravel(), strict=True))
        for side in (sample.champion, sample.challenger)
    ]


@pytest.mark.parametrize("design", ["shadow", "split"])
@pytest.mark.parametrize("lag", [None, 6.0])
@pytest.mark.parametrize("seed", range(4))
def test_the_fixed_sample_is_the_same_at_each_look(design: str, lag: float | None, seed) -> None:
    records = month(seed, design)
    cases = 12
    looks = [
        look(now, records, design=design, lag_days=lag, min_cases=cases) for now in range(2, 40, 2)
    ]
    full = 0
    for earlier, later in pairwise(looks):
        for before, after in zip(earlier, later, strict=True):
            scores = [score for score, _ in before]
            assert [score for score, _ in after][: len(scores)] == scores
            if lag is not None or len(before) == cases:
                assert after[: len(before)] == before  # What is known of them, too.
            full += len(before) == cases
    assert full > 4


def test_a_late_read_of_an_early_image_comes_behind() -> None:
    predictions = [
        prediction(f"i{n}", f"p{n}", arm, {E: n / 10}, uploaded_at=at(n), predicted_at=at(n))
        for n in range(4)
        for arm in VERSIONS
    ]
    reads = [read(f"i{n}", {E: "present"}, recorded_at=at(10 - n)) for n in (1, 2, 3)]
    late = read("i0", {E: "absent"}, recorded_at=at(20))
    for known in (reads, [*reads, late]):
        champion, _ = look(30, (predictions, known), min_cases=3)
        assert [score for score, _ in champion] == [0.3, 0.2, 0.1]


def test_a_word_after_the_last_planned_case_changes_none() -> None:
    predictions = [prediction(f"i{n}", f"p{n}", arm, {E: 0.5}) for n in "01" for arm in VERSIONS]
    reads = [read(f"i{n}", {E: "present"}, minutes=n) for n in (0, 1)]
    other = read("i0", {E: "absent"}, minutes=2)
    assert look(1, (predictions, [*reads, other]), min_cases=2)[0] == [(0.5, 1)] * 2
    assert look(1, (predictions, [*reads, other]), min_cases=3)[0] == [(0.5, 0), (0.5, 1)]


def test_a_replay_does_not_move_the_first_image_of_a_patient_who_has_entered() -> None:
    e = experiment(lag_days=2)
    answers = [
        prediction("i", "p", CHAMPION, {}, uploaded_at=at(5), predicted_at=at(5)),
        prediction("j", "q", CHAMPION, {}, uploaded_at=at(8), predicted_at=at(8)),
    ]
    replayed = prediction("k", "p", "b", {}, uploaded_at=at(1), predicted_at=at(9), revision=9)
    before = accrue(e, answers, [])
    after = accrue(e, [*answers, replayed], [])
    assert after.entered == before.entered == {"p": at(7)}
    assert first_exposures(e, after.predictions)["p"].upload_id == "upload-i"
    split = experiment(design="split", lag_days=2)
    seen = [sample_ratio(split, {2: 0.5, 9: 0.9}, made) for made in (answers, [*answers, replayed])]
    assert seen[0] == seen[1]


def test_a_clock_that_is_ahead_ends_no_lag() -> None:
    e = experiment(lag_days=7)
    answers = [prediction("i", "p", CHAMPION, {}, uploaded_at=at(1), predicted_at=at(1))]
    year = read("x", {E: "present"}, recorded_at=at(365))
    got = accrue(e, answers, [year], until=at(2))
    assert (got.entered, got.waiting, got.ahead) == ({}, 1, 1)
