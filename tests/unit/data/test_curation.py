"""What readers recorded becomes a table of labels."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from chexnet.adapters.memory import MemoryStore
from chexnet.data.curation import TABLE, WHO, merge_reads
from chexnet.inputs.base import load
from tests.unit.experiments.records import read

SOURCE = load("waveform")
HEAD = "image_id,patient,Fast,Irregular,Dropout"
F, I = "Fast", "Irregular"  # noqa: E741


class World:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.store.ensure("feedback")

    def read(self, image: str, findings: dict[str, str], unit: str = "p1", **more: Any) -> None:
        made = read(image, findings, unit=unit, **more)
        self.store.write(
            "feedback", {f"/data/20260101/{unit}/{made.feedback_id}.json": made.encode()}
        )

    def written(self) -> list[str]:
        merge_reads(self.store, SOURCE)
        return self.store.read("labels", "/readers.csv").decode().splitlines()


@pytest.fixture
def world() -> World:
    return World()


def test_present_and_absent_count_and_unsure_is_unknown(world: World) -> None:
    world.read("i2", {F: "present", I: "absent"})
    world.read("i1", {F: "unsure", I: "present"}, unit="p2")
    assert world.written() == [HEAD, "i1,p2,,1,", "i2,p1,1,0,"]


def test_of_several_readers_the_newest_word_on_each_finding_counts(world: World) -> None:
    world.read("i", {F: "present", I: "present"}, minutes=2, reader="one")
    world.read("i", {F: "absent"}, minutes=3, reader="two")
    world.read("i", {I: "absent"}, minutes=1, reader="three")
    assert world.written() == [HEAD, "i,p1,0,1,"]


def test_a_table_that_is_imported_again_is_no_newer_word(world: World) -> None:
    world.read("i", {F: "present"}, feedback_id="import")
    world.read("i", {F: "absent"}, minutes=2, reader="two")
    again = read("i", {F: "present"}, feedback_id="import", minutes=3, unit="p1")
    world.store.write("feedback", {"/data/20260102/p1/import.json": again.encode()})
    assert world.written() == [HEAD, "i,p1,0,,"]
    assert merge_reads(world.store, SOURCE).reads == 2


def test_what_a_model_was_shown_for_or_another_read_replaces_does_not_count(world: World) -> None:
    world.read("i", {F: "present"}, feedback_id="f1")
    world.read("i", {F: "absent"}, supersedes="f1")
    world.read("i", {F: "present"}, minutes=9, protocol="assisted")
    world.read("j", {F: "present"}, protocol="assisted")
    world.read("k", {F: "present"}, protocol="reference")
    assert world.written() == [HEAD, "i,p1,0,,", "k,p1,1,,"]


def test_the_table_is_committed_only_when_it_changes(world: World) -> None:
    world.read("i", {F: "present"})
    world.written()
    first = world.store.head("labels")
    world.written()
    assert world.store.head("labels") == first
    world.read("i", {F: "absent"}, minutes=2)
    world.written()
    assert world.store.head("labels") != first


def test_without_reads_there_is_no_table(world: World) -> None:
    merge_reads(world.store, SOURCE)
    assert world.store.list("labels") == []


def test_reads_that_were_removed_leave_the_table(world: World) -> None:
    world.read("i", {F: "present"})
    world.written()
    world.store.write("feedback", {}, remove=world.store.list("feedback"))
    assert world.written() == [HEAD]


def test_who_said_what_stays_on_record(world: World) -> None:
    world.read("i", {F: "present"}, reader="one", feedback_id="f1")
    world.read("i", {F: "unsure"}, reader="two", feedback_id="f2", minutes=1)
    world.read("i", {F: "present"}, reader="three", protocol="assisted", minutes=2)
    world.written()
    rows = list(csv.DictReader(io.StringIO(world.store.read("labels", WHO).decode())))
    said = [(row["read"], row["reader"], row["label"], row["finding"]) for row in rows]
    assert said == [("f1", "one", F, "present"), ("f2", "two", F, "unsure")]
    assert {row["patient"] for row in rows} == {"p1"}


def test_what_was_read_since_the_running_experiment_began_is_held_back(world: World) -> None:
    world.read("i", {F: "present"}, feedback_id="before")
    during = read("i", {F: "absent"}, unit="p1", minutes=5, supersedes="before")
    world.store.write("feedback", {"/data/20260101/p1/during.json": during.encode()})
    merged = merge_reads(world.store, SOURCE, embargo=during.recorded_at)
    assert (merged.images, merged.reads, merged.held) == (1, 1, 1)
    assert world.store.read("labels", TABLE).decode().splitlines() == [HEAD, "i,p1,1,,"]
    assert "during" not in world.store.read("labels", WHO).decode()
    assert world.written() == [HEAD, "i,p1,0,,"]  # It has ended.
