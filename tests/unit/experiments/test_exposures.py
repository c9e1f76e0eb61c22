"""Accrual and first exposures: a look never changes what an earlier look saw."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest

from chexnet.experiments.exposures import accrue, first_exposures, sample_ratio
from chexnet.messages import CHAMPION
from tests.unit.experiments.records import START, experiment, prediction, read


def at(days: float):
    return START + timedelta(days=days)


def answer(image: str, unit: str, day: float, arm: str = CHAMPION, **changes):
    moment = {"uploaded_at": at(day), "predicted_at": at(day)}
    return prediction(image, unit, arm, {}, kind="answer", **{**moment, **changes})


def said(image: str, day: float):
    return read(image, {"Effusion": "present"}, recorded_at=at(day))


def test_a_patient_enters_with_what_was_known_when_the_lag_was_over() -> None:
    answers = [answer("i", "p", 0), answer("j", "p", 3), answer("k", "p", 8), answer("l", "q", 5)]
    reads = [said("i", 2), said("j", 6.9), said("i", 7.1), said("k", 9), said("l", 11)]
    got = accrue(experiment(lag_days=7), answers, reads)
    assert [p.image_id for p in got.predictions] == ["i", "j"]  # k came later; q's lag is not over.
    assert got.feedback == reads[:2]
    assert got.waiting == 1


def test_each_look_sees_what_an_earlier_one_saw_first() -> None:
    rng = np.random.default_rng(0)
    days, lags = rng.uniform(0, 30, 200), rng.exponential(4, 200)
    answers = [answer(f"i{n}", f"p{n % 80}", day) for n, day in enumerate(days)]
    reads = [said(f"i{n}", days[n] + lags[n]) for n in range(200)]
    looks = []
    for now in range(10, 40, 3):
        before = [p for p in answers if p.predicted_at <= at(now)]
        known = [f for f in reads if f.recorded_at <= at(now)]
        got = accrue(experiment(lag_days=6), before, known)
        kept, counted = got.predictions, got.feedback
        firsts = first_exposures(experiment(), kept)
        order = sorted(firsts, key=firsts.__getitem__)
        of = {u: {p.image_id for p in kept if p.unit == u} for u in order}
        looks.append(
            [(u, sorted(f.image_id for f in counted if f.image_id in of[u])) for u in order]
        )
    for earlier, later in pairwise(looks):
        assert later[: len(earlier)] == earlier
    assert len(looks[-1]) > len(looks[0]) > 5


def test_without_a_lag_all_counts_as_it_comes() -> None:
    answers, reads = [answer("i", "p", 0)], [said("i", 100)]
    got = accrue(experiment(), answers, reads)
    assert (got.predictions, got.feedback, got.waiting) == (answers, reads, 0)


def split(shift: int = 0):
    """Patients of two stages in their shares, but for `shift` of the champion's that are lost."""
    made = []
    for revision, (champion, b) in {4: (900 - shift, 100), 6: (400 - shift, 400)}.items():
        for arm, count in ((CHAMPION, champion), ("b", b)):
            made += [
                answer(
                    f"{revision}-{arm}-{n}",
                    f"{revision}-{arm}-{n}",
                    revision,
                    arm,
                    revision=revision,
                )
                for n in range(count)
            ]
    return made


EXPOSURES = {4: 0.1, 5: 0.1, 6: 0.5}


def test_shares_are_tested_by_the_exposure_of_the_first_image() -> None:
    e = experiment(design="split")
    moved = answer("again", "4-champion-0", 7, "b", revision=6)
    found = sample_ratio(e, EXPOSURES, [*split(), moved])
    assert [s.patients for s in found.stages] == [
        {CHAMPION: 900, "b": 100},
        {CHAMPION: 400, "b": 400},
    ]
    assert found.stages[0].shares == pytest.approx({CHAMPION: 0.9, "b": 0.1})
    assert not found.alarm
    assert sample_ratio(e, EXPOSURES, split(shift=150)).alarm


def test_a_shadow_has_no_shares() -> None:
    assert sample_ratio(experiment(), EXPOSURES, split()) is None


def test_where_everybody_is_included_the_champion_has_no_share() -> None:
    e = experiment(design="split", weights={"b": 1.0, "c": 3.0})
    answers = [answer(f"i{n}", f"p{n}", 1, "b" if n % 4 else "c", revision=7) for n in range(400)]
    found = sample_ratio(e, {7: 1.0}, answers)
    assert found.stages[0].shares == {"b": 0.25, "c": 0.75}
    assert found.alarm
