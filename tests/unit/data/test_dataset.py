"""A dataset is written and read back, whatever the input; its splits are by unit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from chexnet.adapters.memory import MemoryStore
from chexnet.data.checkout import Dataset, resolve, some, unpack
from chexnet.data.splits import split_of
from chexnet.errors import BadInput, NotFound
from chexnet.inputs.base import Limits, load
from tests import datasets
from tests.waveform import signals

SOURCE = load("waveform")
LIMITS = Limits()


def folder_of(path: Path, count: int, seed: int = 0) -> Path:
    lines = ["file,patient,Fast,Irregular,Dropout"]
    for signal in signals.draw(count, seed):
        (path / signal.name).write_bytes(signal.data)
        told = [str(int(signal.findings[label])) for label in SOURCE.labels]
        lines.append(",".join([signal.name, signal.patient, *told]))
    (path / "labels.csv").write_text("\n".join(lines))
    return path


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    (tmp_path / "traces").mkdir()
    return datasets.dataset(folder_of(tmp_path / "traces", 40), SOURCE, tmp_path)


def test_images_and_labels_come_back_as_the_input_decodes_them(data: Dataset) -> None:
    for number, signal in enumerate(signals.draw(40)):
        cleaned = SOURCE.clean(signal.data, LIMITS)
        assert np.array_equal(data.x[number], SOURCE.decode(cleaned.data, LIMITS))
        assert data.image_id[number] == cleaned.image_id
        assert data.y[number].tolist() == [int(signal.findings[n]) for n in SOURCE.labels]
        assert data.unit[number] == signal.patient


def test_a_patient_is_in_one_split_and_always_the_same(data: Dataset) -> None:
    assert [split_of(unit) for unit in data.unit.tolist()] == data.split.tolist()
    rows = [data.rows(split) for split in ("train", "validation", "test")]
    assert sorted(np.concatenate(rows).tolist()) == list(range(40))


def test_some_rows_are_drawn_from_all_of_them_and_always_the_same(data: Dataset) -> None:
    rows = data.rows("train")
    drawn = some(rows, 10, 0)
    assert drawn.tolist() == sorted(set(drawn.tolist()) & set(rows.tolist()))
    assert len(drawn) == 10
    assert drawn.tolist() == some(rows, 10, 0).tolist() != some(rows, 10, 1).tolist()
    assert drawn.max() > rows[15]  # Of the first ten in order none is: they'd be of a few patients.
    assert some(rows, None, 0).tolist() == some(rows, 1000, 0).tolist() == rows.tolist()


def test_splits_hold_about_70_10_and_20_of_a_hundred_patients() -> None:
    splits = [split_of(f"patient-{i}") for i in range(20_000)]
    shares = [splits.count(name) / 20_000 for name in ("train", "validation", "test")]
    assert shares == pytest.approx([0.7, 0.1, 0.2], abs=0.015)


@pytest.mark.parametrize(
    ("unit", "split"),
    [("a", "train"), ("e", "train"), ("h", "validation"), ("j", "validation"), ("d", "test")],
)
def test_the_split_of_a_unit_never_changes(unit: str, split: str) -> None:
    # `printf 'split\0a' | sha256sum` begins 8c; of e 24, h c2, j bd, d d6; of 256 in hex, 70 %
    # is b3 and 80 % is cc.
    assert split_of(unit) == split


def test_shards_hold_no_more_than_their_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chexnet.data.dataset.SHARD_BYTES", 256 * 4)  # Four traces a shard.
    (tmp_path / "traces").mkdir()
    data = datasets.dataset(folder_of(tmp_path / "traces", 10), SOURCE, tmp_path)
    assert [shard.images for shard in data.index.shards] == [4, 4, 2]
    assert len(data.x) == 10


def test_the_same_examples_make_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "traces").mkdir()
    traces = folder_of(tmp_path / "traces", 6)
    made = []
    for name in ("one", "two"):
        datasets.folder(traces, SOURCE, tmp_path / name)
        files = sorted((tmp_path / name).rglob("*.*"))
        made.append({file.name: file.read_bytes() for file in files})
    assert made[0] == made[1]


def test_a_repo_without_commits_or_with_an_empty_one_has_no_dataset() -> None:
    store = MemoryStore()
    store.ensure("dataset")
    with pytest.raises(NotFound, match="chexnet dataset cut"):
        resolve(store, "dataset")
    store.write("dataset", {})
    with pytest.raises(NotFound, match="chexnet dataset cut"):
        resolve(store, "dataset")


def test_the_newest_commit_is_meant_where_none_is_named() -> None:
    store = MemoryStore()
    store.ensure("dataset")
    first = store.write("dataset", {"/index.json": b"1"})
    second = store.write("dataset", {"/index.json": b"2"})
    assert resolve(store, "dataset") == ("dataset", second)
    assert resolve(store, f"dataset@{first}") == ("dataset", first)


def test_a_dataset_of_a_newer_schema_is_refused(tmp_path: Path) -> None:
    (tmp_path / "traces").mkdir()
    datasets.folder(folder_of(tmp_path / "traces", 2), SOURCE, tmp_path / "files")
    index = tmp_path / "files" / "index.json"
    index.write_text(json.dumps({**json.loads(index.read_bytes()), "schema": "dataset/2"}))
    with pytest.raises(BadInput, match="dataset/2"):
        unpack(tmp_path / "files", "dataset@0", tmp_path)


def test_a_dataset_that_a_patient_has_left_is_not_opened(data: Dataset, tmp_path: Path) -> None:
    (tmp_path / "files" / data.index.shards[0].path[1:]).unlink()
    (tmp_path / "again").mkdir()
    with pytest.raises(NotFound, match=r"dataset@7 without .*00000.*; a patient"):
        unpack(tmp_path / "files", "dataset@7", tmp_path / "again")
