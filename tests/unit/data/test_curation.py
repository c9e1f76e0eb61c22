"""What readers recorded becomes a table of labels."""

from __future__ import annotations

from typing import Any

import pytest

from chexnet.adapters.memory import MemoryStore
from chexnet.data.curation import write_readers
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
        write_readers(self.store, SOURCE)
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
    world.read("i", {F: "present"}, minutes=1)
    world.written()
    assert world.store.head("labels") == first
    world.read("i", {F: "absent"}, minutes=2)
    world.written()
    assert world.store.head("labels") != first


def test_without_reads_there_is_no_table(world: World) -> None:
    write_readers(world.store, SOURCE)
    assert world.store.list("labels") == []


def test_reads_that_were_removed_leave_the_table(world: World) -> None:
    world.read("i", {F: "present"})
    world.written()
    world.store.write("feedback", {}, remove=world.store.list("feedback"))
    assert world.written() == [HEAD]
