"""A dataset is assembled of images and tables: what goes in, in which order, what is left out."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from chexnet.data.assembly import Report, assemble
from chexnet.data.dataset import Index
from chexnet.data.splits import split_of
from chexnet.errors import ConfigError
from chexnet.inputs.base import load

SOURCE = load("waveform")
HEAD = "image_id,patient,Fast,Irregular,Dropout\n"


class World:
    """The two inputs of a datum."""

    def __init__(self, folder: Path) -> None:
        self.images, self.tables, self.out = folder / "images", folder / "labels", folder / "out"
        self.tables.mkdir()

    def image(self, path: str, value: int = 0, shape: tuple[int, ...] = SOURCE.shape) -> None:
        file = self.images / "data" / f"{path}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, np.full(shape, value, np.uint8))

    def table(self, name: str, *rows: str) -> None:
        (self.tables / f"{name}.csv").write_text(HEAD + "".join(f"{row}\n" for row in rows))

    def assemble(self, out: str = "out") -> tuple[Index, Report]:
        return assemble(self.images, self.tables, SOURCE, self.out.parent / out)

    def column(self, name: str) -> list:
        shards = sorted((self.out / "shards").glob("*.npz"))
        return [row for shard in shards for row in np.load(shard)[name].tolist()]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_labelled_images_go_in_by_the_order_of_their_paths(world: World) -> None:
    world.image("20260102/p2/u9.i3", 3)
    world.image("20260101/p1/u5.i2", 2)
    world.image("phantoms/p3/i1", 1)
    world.table("phantoms", "i1,p3,1,0,")
    world.table("readers", "i2,p1,0,0,0", "i3,p2,,1,")
    index, report = world.assemble()
    assert world.column("image_id") == ["i2", "i3", "i1"]
    assert world.column("unit") == ["p1", "p2", "p3"]
    assert world.column("y") == [[0, 0, 0], [255, 1, 255], [1, 0, 255]]
    assert [int(np.ravel(x)[0]) for x in world.column("x")] == [2, 3, 1]
    assert sum(index.images.values()) == sum(index.units.values()) == 3
    assert (report.images, report.read) == (3, 2)


def test_what_is_left_out_is_counted_and_named(world: World) -> None:
    world.image("a/p1/i1")
    world.image("a/p1/i2")
    world.image("b/p1/i1")
    world.image("b/p1/i3", shape=(3, 1))
    world.table("a", "i1,p1,1,0,", "i3,p1,1,0,0", "i4,p1,1,1,1")
    _, report = world.assemble()
    written = json.loads((world.out / "report.json").read_bytes())
    assert written == {
        "schema": "report/1",
        "images": 1,
        "read": 0,
        "unlabelled": 1,
        "twice": 1,
        "wrong_shape": 1,
        "absent": 1,
        "disputed": 0,
        "named": {
            "unlabelled": ["/data/a/p1/i2.npy"],
            "twice": ["/data/b/p1/i1.npy"],
            "wrong_shape": ["/data/b/p1/i3.npy"],
            "absent": ["i4"],
        },
    }
    assert report.named == written["named"]


def test_only_the_first_twenty_are_named(world: World) -> None:
    world.image("a/p1/i1")
    world.table("a", "i1,p1,1,0,", *(f"gone{n:02d},,1,0," for n in range(30)))
    _, report = world.assemble()
    assert report.absent == 30
    assert report.named["absent"] == [f"gone{n:02d}" for n in range(20)]


def test_images_on_which_imports_disagree_are_in_with_the_rest_and_counted(world: World) -> None:
    world.image("a/p1/i1")
    world.table("a", "i1,p1,1,0,1")
    world.table("b", "i1,p1,0,0,")
    _, report = world.assemble()
    assert world.column("y") == [[255, 0, 1]]
    assert (report.images, report.disputed, report.named) == (1, 1, {"disputed": ["i1"]})


@pytest.mark.parametrize("first", ["20260101/p1/u1.i1", "20260101/i1/u1.i1"])
def test_an_image_that_comes_again_stays_with_its_patient(world: World, first: str) -> None:
    second = {"p1": "i1", "i1": "p1"}[first.split("/")[1]]
    world.table("a", "i1,,1,0,1")
    world.image(first)
    world.image(f"20260102/{second}/u2.i1")
    _, report = world.assemble()
    assert world.column("unit") == ["p1"]
    assert report.twice == 1


def test_the_same_inputs_make_the_same_bytes_whenever_and_in_whatever_order_they_came(
    world: World,
) -> None:
    for n in range(6):
        world.image(f"a/p{n}/i{n}", n)
    world.table("b", *(f"i{n},p{n},1,0," for n in range(6)))
    world.table("a", *(f"i{n},p{n},1,,1" for n in range(6)))
    world.assemble("one")
    for n, file in enumerate([*world.images.rglob("*.npy"), *world.tables.glob("*.csv")]):
        os.utime(file, (n * 10**7, n * 10**7))
    for name in ("a", "b"):  # Written anew: another order in the folder.
        told = (world.tables / f"{name}.csv").read_bytes()
        (world.tables / f"{name}.csv").unlink()
        (world.tables / f"{name}.csv").write_bytes(told)
    world.assemble("two")
    one, two = (
        {file.name: file.read_bytes() for file in (world.out.parent / name).rglob("*.*")}
        for name in ("one", "two")
    )
    assert one == two
    assert len(one) == 3


def test_nothing_to_learn_from_is_an_error(world: World) -> None:
    world.image("a/p1/i1")
    world.table("a", "i2,p1,1,0,")
    with pytest.raises(ConfigError, match="at least one labelled image"):
        world.assemble()


def test_how_far_it_is_is_told(world: World) -> None:
    for n in range(3):
        world.image(f"a/p1/i{n}")
    world.table("a", *(f"i{n},p1,1,0," for n in range(3)))
    told: list[tuple[int, int]] = []
    assemble(world.images, world.tables, SOURCE, world.out, lambda *now: told.append(now))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_patients_split_is_what_an_import_says_and_by_hash_without(world: World) -> None:
    for n in range(4):
        world.image(f"nih/p{n}/i{n}")
    world.image("20260101/p1/u.later")
    head = HEAD.replace("\n", ",split\n")
    rows = "".join(f"i{n},p{n},1,0,,{'test' if n < 2 else ''}\n" for n in range(4))
    (world.tables / "nih.csv").write_text(head + rows)
    world.table("readers", "later,p1,1,0,")
    world.assemble()
    split = dict(zip(world.column("image_id"), world.column("split"), strict=True))
    assert (split["i0"], split["i1"], split["later"]) == ("test",) * 3
    assert (split["i2"], split["i3"]) == (split_of("p2"), split_of("p3"))
    assert json.loads((world.out / "splits.json").read_text()) == {"p0": "test", "p1": "test"}


def test_sex_age_and_view_come_along_where_an_import_tells_them(world: World) -> None:
    for n in range(2):
        world.image(f"nih/p{n}/i{n}")
    head = HEAD.replace("\n", ",sex,age,view\n")
    (world.tables / "nih.csv").write_text(f"{head}i0,p0,1,0,,F,40-59,PA\ni1,p1,1,0,,,,\n")
    world.table("readers", "i0,p0,0,,")
    world.assemble()
    assert world.column("details") == [["F", "40-59", "PA"], ["", "", ""]]


def test_a_patient_whom_two_imports_put_in_two_splits_is_refused(world: World) -> None:
    world.image("a/p/i")
    head = HEAD.replace("\n", ",split\n")
    for name, split in (("a", "train"), ("b", "test")):
        (world.tables / f"{name}.csv").write_text(f"{head}i,p,1,0,,{split}\n")
    with pytest.raises(ConfigError, match="one split"):
        world.assemble()
