"""Predictions against the pipeline's images."""

from __future__ import annotations

import io

import msgspec
import numpy as np

from chexnet.adapters.memory import MemoryStore
from chexnet.messages import sha256
from chexnet.runtime.consistency import compare
from tests.unit.runtime.test_lineage import prediction


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_equal_different_and_waiting_predictions_are_told_apart() -> None:
    store = MemoryStore()
    store.ensure("images")
    store.ensure("predictions")
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    store.write("images", {f"/data/20260102/u/up{n}.im.npy": npy(array) for n in (1, 2)})
    seen = {"up1": sha256(array.tobytes()), "up2": "0", "up3": "0"}
    for upload, digest in seen.items():
        made = msgspec.structs.replace(prediction(upload, "im", 1), tensor_sha256=digest)
        path = f"/data/20260102/u/{made.prediction_id}.json"
        store.write("predictions", {path: made.encode()})
    found = compare(store)
    assert (found.equal, found.waiting, found.different) == (1, 1, ("up2.champion.answer",))


def test_an_empty_archive_is_consistent() -> None:
    found = compare(MemoryStore())
    assert (found.equal, found.waiting, found.different) == (0, 0, ())
