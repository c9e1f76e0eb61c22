"""Imports are listed, and leave, over the memory store."""

from __future__ import annotations

import pytest

from chexnet.adapters.memory import MemoryStore
from chexnet.data.imports import behind, every, remove
from chexnet.data.places import BULK, LABELS
from chexnet.errors import NotFound


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore()
    for repo in (BULK, LABELS):
        made.ensure(repo)
    made.write(BULK, {f"/data/phantoms/p{n}/i{n}.png": b"x" for n in range(3)})
    made.write(BULK, {"/data/phantoms2/p/i.png": b"x"})
    tables = {"/phantoms.csv": b"image_id\ni0\ni1\n", "/phantoms2.csv": b"image_id\ni\n"}
    made.write(LABELS, {**tables, "/readers.csv": b"image_id\n", "/who/readers.csv": b""})
    return made


def test_every_import_is_told_with_its_images_and_readers_are_none(store: MemoryStore) -> None:
    found = [(one.name, one.labelled, one.images) for one in every(store)]
    assert found == [("phantoms", 2, 3), ("phantoms2", 1, 1)]
    assert every(MemoryStore()) == []


def test_a_dataset_tells_the_imports_that_it_was_cut_from(store: MemoryStore) -> None:
    store.ensure("dataset")
    cut = store.write("dataset", {"/index.json": b"{}"})
    store.derive(("dataset", cut), (LABELS, str(store.head(LABELS))))
    store.write(LABELS, {"/later.csv": b""})
    assert behind(store, "dataset", cut) == ["phantoms", "phantoms2", "readers"]


def test_an_import_leaves_with_its_table_and_its_images_where_asked(store: MemoryStore) -> None:
    remove(store, "phantoms", images=False)
    assert store.list(LABELS) == ["/phantoms2.csv", "/readers.csv", "/who/readers.csv"]
    assert len(store.list(BULK, "/data/phantoms")) == 3
    remove(store, "phantoms2", images=True)
    assert store.list(BULK, "/data/phantoms2") == []
    assert len(store.list(BULK, "/data/phantoms")) == 3
    with pytest.raises(NotFound, match=r"there is none.*Received: 'readers'"):
        remove(store, "readers", images=False)
