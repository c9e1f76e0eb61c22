"""A dataset goes into a store and comes back, whatever the input; its splits are by unit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from chexnet.adapters.memory import MemoryStore
from chexnet.data.checkout import Dataset, checkout
from chexnet.data.dataset import Built, build, summary
from chexnet.data.labels import Labelled, read_labels
from chexnet.data.splits import split_of
from chexnet.errors import BadInput, ConfigError, NotFound
from chexnet.inputs.base import Limits, load
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


def built(store: MemoryStore, folder: Path) -> Built:
    rows = read_labels(folder / "labels.csv", SOURCE.labels)
    return build(store, "dataset", SOURCE, rows, limits=LIMITS, processes=1)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def data(store: MemoryStore, tmp_path: Path) -> Dataset:
    built(store, folder_of(tmp_path, 40))
    return checkout(store, "dataset", tmp_path / "cache")


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


def test_one_bad_file_is_named_with_its_reason_and_the_others_go_in(
    store: MemoryStore, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path, 5)
    (folder / "trace-00002.csv").write_text("hello")
    (folder / "trace-00004.csv").unlink()
    done = built(store, folder)
    assert sum(done.index.images.values()) == 3
    assert [f.file for f in done.failed] == ["trace-00002.csv", "trace-00004.csv"]
    assert "one number a line" in done.failed[0].reason
    json.dumps(summary(done, "dataset"))


def test_the_same_image_twice_is_kept_once(store: MemoryStore, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 2)
    rows = read_labels(folder / "labels.csv", SOURCE.labels)
    twice = [*rows, Labelled(path=rows[0].path, patient="other", findings=(0, 0, 0))]
    done = build(store, "dataset", SOURCE, twice, limits=LIMITS, processes=1)
    assert sum(done.index.images.values()) == 2
    assert "twice" in done.failed[0].reason


def test_no_readable_file_makes_no_dataset(store: MemoryStore, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 1)
    (folder / "trace-00000.csv").write_text("hello")
    with pytest.raises(ConfigError, match="1 files, none readable"):
        built(store, folder)
    assert store.head("dataset") is None


def test_an_image_of_nobody_is_a_unit_by_itself(store: MemoryStore, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 2)
    rows = read_labels(folder / "labels.csv", SOURCE.labels)
    nobody = [Labelled(path=r.path, patient="", findings=r.findings) for r in rows]
    build(store, "dataset", SOURCE, nobody, limits=LIMITS, processes=1)
    data = checkout(store, "dataset", tmp_path / "cache")
    assert data.unit.tolist() == data.image_id.tolist()


def test_a_new_dataset_replaces_the_shards_of_the_old_one(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chexnet.data.dataset.SHARD_BYTES", 256 * 4)  # Four traces a shard.
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    old = built(store, folder_of(tmp_path / "one", 10))
    new = built(store, folder_of(tmp_path / "two", 5, seed=9))
    assert store.list("dataset", "/shards", old.commit) == [
        f"/shards/0000{n}.npz" for n in range(3)
    ]
    assert len(store.list("dataset", "/shards", new.commit)) == 2
    for commit, count in ((old.commit, 10), (new.commit, 5)):
        assert len(checkout(store, f"dataset@{commit}", tmp_path / "cache").x) == count


def test_the_same_files_make_the_same_bytes(tmp_path: Path) -> None:
    folder, stores = folder_of(tmp_path, 6), (MemoryStore(), MemoryStore())
    for one in stores:
        built(one, folder)
    first, second = (dict(one.fetch("dataset")) for one in stores)
    assert first == second


def test_a_checkout_is_fetched_once(store: MemoryStore, tmp_path: Path) -> None:
    done = built(store, folder_of(tmp_path, 3))
    checkout(store, "dataset", tmp_path / "cache")
    assert checkout(MemoryStore(), f"dataset@{done.commit}", tmp_path / "cache").x.shape[0] == 3
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_repo_without_commits_has_no_dataset(store: MemoryStore, tmp_path: Path) -> None:
    store.ensure("dataset")
    with pytest.raises(NotFound, match="chexnet data build"):
        checkout(store, "dataset", tmp_path)


def test_a_dataset_of_a_newer_schema_is_refused(store: MemoryStore, tmp_path: Path) -> None:
    done = built(store, folder_of(tmp_path, 2))
    newer = {**json.loads(store.read("dataset", "/index.json", done.commit)), "schema": "dataset/2"}
    store.write("dataset", {"/index.json": json.dumps(newer).encode()})
    with pytest.raises(BadInput, match="dataset/2"):
        checkout(store, "dataset", tmp_path / "cache")
    assert not any((tmp_path / "cache").iterdir())


def test_an_empty_cell_is_unknown_and_anything_else_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("file,Fast,Irregular,Dropout,age\nx.csv,1,,0,50\n")
    assert read_labels(table, SOURCE.labels)[0].findings == (1, 255, 0)
    table.write_text("file,Fast,Irregular,Dropout\nx.csv,1,maybe,0\n")
    with pytest.raises(ConfigError, match=r"'maybe' for Irregular in line 2"):
        read_labels(table, SOURCE.labels)


def test_a_table_without_a_label_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("file,Fast\n")
    with pytest.raises(ConfigError, match="without Irregular, Dropout"):
        read_labels(table, SOURCE.labels)
    with pytest.raises(ConfigError, match="none at"):
        read_labels(tmp_path / "no" / "labels.csv", SOURCE.labels)
