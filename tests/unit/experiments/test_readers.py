"""Reads about reads: agreement by hand, and the bias of a reader who was shown the champion."""

from __future__ import annotations

import numpy as np
import pytest

from chexnet.experiments.cases import gather
from chexnet.experiments.comparison import compare
from chexnet.experiments.readers import agreement, assisted
from chexnet.messages import CHAMPION
from tests.unit.experiments.records import VERSIONS, experiment, prediction, read

E = "Effusion"


def test_agreement_by_hand_counts_each_readers_newest_blinded_word() -> None:
    words = {"r": "ppaa", "s": "ppap"}
    reads = [
        read(f"i{n}", {E: "present" if word == "p" else "absent"}, reader=reader, minutes=5)
        for reader, said in words.items()
        for n, word in enumerate(said)
    ]
    reads += [
        read("i0", {E: "absent"}, reader="r", minutes=1),  # Replaced by the later word.
        read("i1", {E: "absent"}, reader="t", protocol="assisted"),
        read("i2", {E: "unsure"}, reader="t"),
        read("i9", {E: "absent"}, reader="r"),  # By one reader only.
    ]
    found = agreement(reads)[E]
    # Agreed on 3 of 4; 5 of 8 present: chance 34/64; (3/4 - 17/32) / (1 - 17/32) = 7/15.
    assert (found.images, found.kappa) == (4, pytest.approx(7 / 15))


def test_one_reader_agrees_with_nobody() -> None:
    assert agreement([read("i", {E: "present"})])[E].kappa is None


def test_an_anchored_reader_makes_the_version_shown_look_better() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(600) < 0.4
    scores = np.array([[0.8], [1.5]]) * truth + rng.standard_normal((2, 600))
    predictions, reads = [], []
    for n, present in enumerate(truth):
        for arm, score in zip((CHAMPION, "b"), scores[:, n], strict=True):
            predictions.append(prediction(f"i{n}", f"p{n}", arm, {E: score}))
        shown = scores[0, n] > 0.5
        anchored = shown if rng.random() < 0.5 else present
        for protocol, word in (("blinded", present), ("assisted", anchored)):
            reads.append(read(f"i{n}", {E: "present" if word else "absent"}, protocol=protocol))
    e = experiment(min_cases=600)
    args = e, "b", VERSIONS
    blinded = compare(gather(e, VERSIONS, predictions, reads, ()), *args, {})
    apart = assisted(*args, predictions, reads, ())
    assert blinded.difference.low > 0  # b is better, and blinded reads show it.
    assert apart.difference.high < 0  # Those who saw the champion's answer say the opposite.
    assert apart.counts.blinded == 600


def test_without_assisted_reads_there_is_nothing_to_report_apart() -> None:
    assert assisted(experiment(), "b", VERSIONS, [], [read("i", {E: "present"})], ()) is None
