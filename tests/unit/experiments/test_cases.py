"""Cases: one per image, the newest word of readers who had seen nothing, nobody trained on."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from chexnet.experiments.cases import gather
from chexnet.experiments.truths import once, truths
from chexnet.messages import CHAMPION
from tests.unit.experiments.records import START, VERSIONS, experiment, prediction, read

E, M = "Effusion", "Mass"


def both(image: str, unit: str, champion: float = 0.2, challenger: float = 0.8, **changes):
    return [
        prediction(image, unit, CHAMPION, {E: champion}, **changes),
        prediction(image, unit, "b", {E: challenger}, **changes),
    ]


def sample(predictions, feedback, training=(), **changes):
    return gather(experiment(**changes), VERSIONS, predictions, feedback, set(training))


def test_the_newest_word_on_each_label_counts() -> None:
    reads = [
        read("i", {E: "absent", M: "present"}, minutes=1),
        read("i", {E: "present", M: "not_assessed"}, minutes=2),
    ]
    assert truths(reads)["i"].findings == {E: "present", M: "present"}
    assert truths(reversed(reads)) == truths(reads)


def test_what_is_superseded_does_not_count_even_where_it_is_newer() -> None:
    wrong = read("i", {E: "present"}, minutes=5)
    right = read("i", {M: "present"}, minutes=1, supersedes=wrong.feedback_id)
    assert truths([wrong, right])["i"].findings == {M: "present"}


@pytest.mark.parametrize("supersedes", [False, True])
def test_an_assisted_read_neither_counts_nor_takes_a_blinded_one_away(supersedes: bool) -> None:
    blind = read("i", {E: "present"})
    replaced = blind.feedback_id if supersedes else None
    seen = read("i", {E: "absent"}, minutes=1, protocol="assisted", supersedes=replaced)
    assert truths([blind, seen])["i"].findings == {E: "present"}
    assert "j" not in truths([read("j", {E: "absent"}, protocol="assisted")])


def test_a_case_has_both_scores_and_the_truth() -> None:
    got = sample(both("i", "p"), [read("i", {E: "present"})])
    assert got.labels == (E,)
    assert (got.champion.scores[0, 0], got.challenger.scores[0, 0]) == (0.2, 0.8)
    assert got.champion.truth[0, 0] == 1
    assert (got.counts.images, got.counts.blinded, got.counts.reference) == (1, 1, 0)


def test_unsure_and_not_assessed_are_not_absent() -> None:
    predictions = [*both("i", "p"), *both("j", "p"), *both("k", "p")]
    reads = [
        read("i", {E: "unsure"}),
        read("j", {E: "not_assessed", M: "absent"}),
        read("k", {E: "absent"}),
    ]
    assert sorted(sample(predictions, reads).champion.truth[:, 0]) == [0, 2, 3]


def test_a_read_that_assessed_nothing_makes_no_case() -> None:
    rows = [read("i", {E: "not_assessed"}), read("j", {}), read("k", {E: "present"})]
    got = sample([*both("i", "p"), *both("j", "q"), *both("k", "r")], rows)
    assert (len(got.champion.patient), got.counts.reference + got.counts.blinded) == (1, 1)
    assert got.counts.unread == 2


def test_a_finding_that_was_taken_back_leaves_a_case_that_knows_nothing() -> None:
    word = read("i", {E: "present"})
    back = read("i", {E: "not_assessed"}, minutes=1, supersedes=word.feedback_id)
    got = sample(both("i", "p"), [word, back])
    assert got.champion.truth.tolist() == [[3]]


def test_only_assisted_reads_of_the_experiments_images_are_counted() -> None:
    seen, other = (read(image, {E: "absent"}, protocol="assisted") for image in "ix")
    assert sample(both("i", "p"), [seen, other]).counts.assisted == 1


def test_a_record_of_a_read_that_is_made_again_changes_nothing() -> None:
    first = read("i", {E: "present"}, feedback_id="f")
    again = read("i", {E: "present"}, feedback_id="f", minutes=9)
    for records in ([first, again], [again, first]):
        assert once(records) == [first]


def test_an_image_uploaded_twice_is_one_case_of_its_first_upload() -> None:
    later = START + timedelta(hours=1)
    again = both("i", "p", 0.9, 0.9, upload_id="again", uploaded_at=later)
    got = sample([*again, *both("i", "p")], [read("i", {E: "present"})])
    np.testing.assert_array_equal(got.champion.scores, [[0.2]])
    assert got.counts.images == 1


def test_an_upload_without_its_shadow_is_counted_apart() -> None:
    answered, _ = both("j", "q")
    got = sample([*both("i", "p"), answered], [read("i", {E: "absent"}), read("j", {E: "absent"})])
    assert (got.counts.images, got.counts.unpaired) == (1, 1)


@pytest.mark.parametrize("trained", ["p", "i"])
def test_a_patient_or_image_that_an_arm_was_trained_on_is_left_out_and_counted(
    trained: str,
) -> None:
    reads = [read("i", {E: "present"}), read("j", {E: "absent"})]
    got = sample([*both("i", "p"), *both("j", "q")], reads, training=[trained])
    assert len(got.champion.patient) == 1
    assert (got.counts.trained_images, got.counts.trained_patients) == (1, 1)


def test_an_image_nobody_read_is_counted() -> None:
    got = sample([*both("i", "p"), *both("j", "q")], [read("i", {E: "present"})])
    assert (got.counts.images, got.counts.unread, len(got.champion.patient)) == (2, 1, 1)


def test_other_experiments_versions_and_arms_do_not_count() -> None:
    reads = [read(image, {E: "present"}) for image in "ijkl"]
    predictions = [
        *both("i", "p"),
        *both("j", "q", experiment="another"),
        *both("k", "r", experiment=None),
        *both("l", "s", version=9),
    ]
    assert sample(predictions, reads).counts.images == 1


def test_in_a_split_each_image_is_in_one_arm_and_patients_are_numbered_together() -> None:
    one, _ = both("i", "p")
    _, two = both("j", "q")
    reads = [read("i", {E: "present"}), read("j", {E: "absent"})]
    got = sample([one, two], reads, design="split")
    assert got.counts.unpaired == 0
    assert [*got.champion.patient, *got.challenger.patient] == [0, 1]


def test_a_patients_images_share_a_number() -> None:
    predictions = [*both("i", "p"), *both("j", "p"), *both("k", "q")]
    got = sample(predictions, [read(image, {E: "absent"}) for image in "ijk"])
    assert (got.patients, sorted(got.champion.patient)) == (2, [0, 0, 1])
