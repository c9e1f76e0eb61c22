"""A bulk import: what is in, what is sent, what leaves, and what is told of the rest."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from chexnet_waveform.input import Waveform

from chexnet.adapters.memory import MemoryStore
from chexnet.data import bulk
from chexnet.data.bulk import Imported, import_folder
from chexnet.data.importcache import Cache
from chexnet.data.labels import LABELS_FILE, Row, parse_table, read_labels
from chexnet.errors import ConfigError, Unavailable
from chexnet.inputs.base import Cleaned, Limits, load
from tests.waveform import signals

SOURCE = load("waveform")


class Counting(Waveform):
    """The input, which counts what it has to read."""

    def __init__(self) -> None:
        self.read = 0

    def clean(self, data: bytes, limits: Limits) -> Cleaned:
        self.read += 1
        return super().clean(data, limits)


class World:
    """A folder of ten traces, five patients', and a store."""

    def __init__(self, folder: Path, counting: Counting) -> None:
        self.folder, self.store, self.source = folder / "traces", MemoryStore(), counting
        self._cache = folder / "cache" / "traces.jsonl"
        signals.write(self.folder, 10)

    def import_(self, name: str = "traces", **changes: Any) -> Imported:
        rows = read_labels(self.folder / LABELS_FILE, SOURCE.labels)
        with Cache(self._cache) as cache:
            given: dict[str, Any] = {"limits": Limits(), "cache": cache, "processes": 1}
            return import_folder(self.store, self.source, rows, name=name, **(given | changes))

    def labels(self, name: str = "traces") -> dict[str, Row]:
        table = self.folder / "told.csv"
        table.write_bytes(self.store.read("labels", f"/{name}.csv"))
        return dict(parse_table(table, SOURCE.labels))

    def change(self, line: int, **cells: str) -> None:
        table = self.folder / LABELS_FILE
        rows = list(csv.DictReader(table.open(newline="")))
        rows[line] |= cells
        with table.open("w", newline="") as file:
            out = csv.DictWriter(file, list(rows[0]))
            out.writeheader()
            out.writerows(rows)

    def forget_cache(self) -> None:
        self._cache.unlink()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    counting = Counting()
    monkeypatch.setattr(bulk, "load", lambda _: counting)  # In this process: processes=1.
    return World(tmp_path, counting)


def test_files_go_in_cleaned_by_patient_and_image(world: World) -> None:
    done = world.import_()
    assert (done.images, done.sent, done.removed, done.failed) == (10, 10, 0, ())
    expected = {}
    for drawn in signals.draw(10):
        cleaned = SOURCE.clean(drawn.data, Limits())
        path = f"/data/traces/{drawn.patient}/{cleaned.image_id}.bin"
        expected[path] = cleaned.data
    assert dict(world.store.fetch("nih")) == expected
    assert b"patient:" not in b"".join(expected.values())


def test_their_labels_go_in_by_image(world: World) -> None:
    world.change(0, Fast="", Irregular="1", Dropout="0")
    world.import_()
    told = world.labels()
    first, second = list(signals.draw(2))
    assert told[SOURCE.clean(first.data, Limits()).image_id] == Row("P00000", (255, 1, 0))
    codes = tuple(int(second.findings[label]) for label in SOURCE.labels)
    assert told[SOURCE.clean(second.data, Limits()).image_id] == Row("P00000", codes)
    assert len(told) == 10


def test_no_file_name_reaches_the_store(world: World) -> None:
    (world.folder / "trace-00000.csv").rename(world.folder / "Jane Doe.csv")
    world.change(0, file="Jane Doe.csv")
    world.import_()
    for repo in ("nih", "labels"):
        for path, data in world.store.fetch(repo):
            assert "Doe" not in path
            assert b"Doe" not in data


def test_what_is_in_is_neither_read_nor_sent_again(world: World) -> None:
    world.import_()
    commit, world.source.read = world.store.head("nih"), 0
    again = world.import_()
    assert (again.images, again.sent, again.removed) == (10, 0, 0)
    assert (world.source.read, world.store.head("nih")) == (0, commit)


def test_without_the_cache_files_are_read_again_and_not_sent(world: World) -> None:
    world.import_()
    commit = world.store.head("nih")
    world.forget_cache()
    again = world.import_()
    assert (again.images, again.sent, world.store.head("nih")) == (10, 0, commit)


def test_an_interrupted_import_goes_on_where_it_was(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "BATCH", 3)
    write, commits = world.store.write, []

    def fail_at_the_third(*given: Any, **more: Any) -> str:
        commits.append(given)
        if len(commits) == 3:
            raise Unavailable("down")
        return write(*given, **more)

    monkeypatch.setattr(world.store, "write", fail_at_the_third)
    with pytest.raises(Unavailable):
        world.import_()
    assert len(world.store.list("nih")) == 6
    monkeypatch.undo()
    monkeypatch.setattr(bulk, "load", lambda _: world.source)
    world.source.read = 0
    again = world.import_()
    assert (again.images, again.sent, world.source.read) == (10, 4, 4)


def test_the_same_name_again_replaces(world: World) -> None:
    world.import_()
    (world.folder / "trace-00009.csv").unlink()
    (new,) = signals.draw(1, seed=5)
    (world.folder / "trace-00000.csv").write_bytes(new.data)
    again = world.import_()
    assert (again.images, again.sent, again.removed) == (9, 1, 2)
    assert [one.file for one in again.failed] == ["trace-00009.csv"]
    assert len(world.store.list("nih")) == len(world.labels()) == 9
    assert SOURCE.clean(new.data, Limits()).image_id in world.labels()


def test_a_patient_that_was_corrected_takes_the_images_along(world: World) -> None:
    world.import_()
    world.change(0, patient="P7")
    again = world.import_()
    assert (again.images, again.sent, again.removed) == (10, 1, 1)
    assert len(world.store.list("nih", "/data/traces/P7")) == 1
    assert len(world.store.list("nih", "/data/traces/P00000")) == 1


def test_a_label_that_was_corrected_sends_no_image(world: World) -> None:
    world.import_()
    world.change(0, Fast="")
    assert world.import_().sent == 0
    assert sum(255 in row.findings for row in world.labels().values()) == 1


def test_imports_of_two_names_stand_beside_each_other(world: World) -> None:
    world.import_("one")
    world.import_("two")
    assert len(world.store.list("nih")) == 20
    assert world.store.list("labels") == ["/one.csv", "/two.csv"]


def test_a_file_that_fails_is_named_and_the_others_go_in(world: World) -> None:
    (world.folder / "trace-00002.csv").write_text("hello")
    (world.folder / "trace-00004.csv").unlink()
    world.change(6, patient="Jane Doe")
    done = world.import_()
    assert done.images == len(world.store.list("nih")) == 7
    reasons = {one.file: one.reason for one in done.failed}
    assert list(reasons) == ["trace-00002.csv", "trace-00004.csv", "trace-00006.csv"]
    assert "one number a line" in reasons["trace-00002.csv"]
    assert "No such file" in reasons["trace-00004.csv"]
    assert "must be a pseudonym" in reasons["trace-00006.csv"]


def test_a_file_that_the_disk_does_not_give_keeps_what_an_earlier_import_brought(
    world: World,
) -> None:
    world.import_()
    before = world.store.list("nih"), world.labels()
    (world.folder / "trace-00003.csv").unlink()
    (world.folder / "trace-00003.csv").mkdir()  # To read it is an OSError, as of a bad disk.
    again = world.import_()
    assert [one.file for one in again.failed] == ["trace-00003.csv"]
    assert (again.images, again.sent, again.removed) == (10, 0, 0)
    assert (world.store.list("nih"), world.labels()) == before


def test_the_same_image_in_two_files_is_in_once(world: World) -> None:
    first = (world.folder / "trace-00000.csv").read_bytes()
    (world.folder / "trace-00009.csv").write_bytes(first)
    for _ in range(2):  # The second time both are known.
        done = world.import_()
        assert done.images == len(world.store.list("nih")) == 9
        assert [one.file for one in done.failed] == ["trace-00009.csv"]
        assert "same image as trace-00000.csv" in done.failed[0].reason


def test_an_image_of_nobody_is_a_unit_by_itself(world: World) -> None:
    world.change(3, patient="")
    world.import_()
    (path,) = [p for p in world.store.list("nih") if "/P0" not in p]
    _, _, _, unit, name = path.split("/")
    assert name == f"{unit}.bin"


def test_an_import_without_a_readable_file_changes_nothing(world: World) -> None:
    world.import_()
    for file in world.folder.glob("trace-*.csv"):
        file.write_text("hello")
    with pytest.raises(ConfigError, match="10 files, none readable"):
        world.import_()
    assert len(world.store.list("nih")) == 10


@pytest.mark.parametrize("name", ["", "20261123", "Phantoms", "a/b", "readers", "../x", "a" * 64])
def test_a_name_that_means_something_else_is_refused(world: World, name: str) -> None:
    with pytest.raises(ConfigError, match="An import's name"):
        world.import_(name)


def test_batches_are_small_by_count_and_by_bytes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    write = world.store.write
    monkeypatch.setattr(
        world.store,
        "write",
        lambda repo, files, **m: sizes.append(len(files)) or write(repo, files),
    )
    monkeypatch.setattr(bulk, "BATCH", 4)
    world.import_("one")
    assert sizes == [4, 4, 2, 1]  # The last one is the table.
    sizes.clear()
    monkeypatch.setattr(bulk, "BATCH_BYTES", 1)
    world.import_("two")
    assert sizes == [1] * 11


def test_a_file_that_kills_its_reader_is_named(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(bulk, "_clean", _dies_of_the_third)
    world = World(tmp_path, Counting())
    done = world.import_(processes=2)
    assert done.images == 9
    assert [(one.file, "crashed" in one.reason) for one in done.failed] == [
        ("trace-00003.csv", True)
    ]


def test_its_processes_do_not_wait_for_scipy() -> None:
    told = "import sys, chexnet.data.bulk; print('scipy' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", told], text=True) == "False\n"


_CLEAN = bulk._clean


def _dies_of_the_third(source: str, limits: Limits, name: str, row: Any) -> Any:
    if row.file == "trace-00003.csv":
        os.kill(os.getpid(), signal.SIGKILL)
    return _CLEAN(source, limits, name, row)


def test_a_cache_that_was_cut_off_loses_its_last_line_only(world: World, tmp_path: Path) -> None:
    world.import_()
    file = tmp_path / "cache" / "traces.jsonl"
    assert file.stat().st_mode & 0o077 == 0
    file.write_bytes(file.read_bytes()[:-20])
    world.source.read = 0
    world.import_()
    assert world.source.read == 1
    world.source.read = 0
    world.import_()
    assert world.source.read == 0
