"""Releasing: a number for ever, a folder that appears whole, and repair by doing it again."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from chexnet.adapters.memory import MemoryStore
from chexnet.errors import BadInput, NotFound, Refused
from chexnet.messages import Release
from chexnet.models import card as cards
from chexnet.models.card import Card
from chexnet.release import card, digest, golden, publish, read, records

AT = datetime(2026, 1, 2, tzinfo=UTC)
CARD = Card(
    line="b",
    network="small_cnn",
    input="chest_xray",
    labels=("Effusion",),
    shape=(2, 2, 1),
    thresholds={"Effusion": 0.5},
    feature_mean=(0.0,),
    feature_std=(1.0,),
    metrics={"validation": {"macro_auroc": 0.8}},
    dataset="dataset@d",
    training_units=("p",),
    training_digest=cards.digest(["p"]),
    code="c",
    seed=0,
    params={},
    created_at=AT,
)


def tree(weights: bytes = b"weights") -> dict[str, bytes]:
    arrays = io.BytesIO()
    np.savez(arrays, x=np.zeros((2, 2, 2, 1), np.uint8), probabilities=np.full((2, 1), 0.25))
    return {
        "/release/saved_model.pb": b"graph",
        "/release/variables/variables.index": weights,
        f"/release/{cards.CARD}": CARD.encode(),
        f"/release/{cards.GOLDEN}": arrays.getvalue(),
        "/run.json": b"{}",
    }


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore()
    made.ensure("models-b")
    made.write("models-b", tree())
    return made


def released(store: MemoryStore, folder: Path, commit: str | None = None, line="b") -> Release:
    return publish(store, folder, model="xray", line=line, commit=commit, who="me", at=AT)


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_the_first_release_is_version_1_in_its_folder_and_on_record(
    store: MemoryStore, tmp_path: Path
) -> None:
    made = released(store, tmp_path / "xray")
    assert files(tmp_path / "xray" / "1") == {
        "saved_model.pb",
        "variables/variables.index",
        cards.CARD,
        cards.GOLDEN,
    }
    assert (made.version, made.line, made.dataset) == (1, "b", "dataset@d")
    assert made.metrics == {"validation": {"macro_auroc": 0.8}}
    assert read(store, 1) == made
    assert card(store, made) == CARD
    np.testing.assert_array_equal(golden(store, made)["probabilities"], [[0.25], [0.25]])


def test_the_same_commit_is_the_same_version_and_another_is_the_next(
    store: MemoryStore, tmp_path: Path
) -> None:
    first = store.head("models-b")
    one = released(store, tmp_path)
    store.write("models-b", tree(b"others"))
    two = released(store, tmp_path)
    assert (one.version, two.version) == (1, 2)
    assert released(store, tmp_path, first) == one
    assert list(records(store)) == [1, 2]
    assert (tmp_path / "2/variables/variables.index").read_bytes() == b"others"


def test_a_folder_that_a_crash_left_out_is_put_there_by_releasing_again(
    store: MemoryStore, tmp_path: Path
) -> None:
    one = released(store, tmp_path)
    (tmp_path / "1").rename(tmp_path / ".publishing")  # As before the move into place.
    (tmp_path / ".publishing/saved_model.pb").unlink()
    assert released(store, tmp_path) == one
    assert (tmp_path / "1/saved_model.pb").read_bytes() == b"graph"
    assert not (tmp_path / ".publishing").exists()


def test_a_folder_that_was_changed_is_not_what_was_released(
    store: MemoryStore, tmp_path: Path
) -> None:
    released(store, tmp_path)
    (tmp_path / "1/saved_model.pb").write_bytes(b"another graph")
    with pytest.raises(Refused, match=r"must hold version 1 as it was released"):
        released(store, tmp_path)


def test_a_folder_without_a_record_keeps_its_number(store: MemoryStore, tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    assert released(store, tmp_path).version == 8


def test_releases_at_the_same_time_have_numbers_of_their_own(
    store: MemoryStore, tmp_path: Path
) -> None:
    commits = [store.write("models-b", tree(bytes([n]))) for n in range(6)]
    threads = [Thread(target=released, args=(store, tmp_path, commit)) for commit in commits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    known = records(store)
    assert sorted(known) == [1, 2, 3, 4, 5, 6]
    assert {r.commit for r in known.values()} == set(commits)
    for version, record in known.items():
        weights = (tmp_path / str(version) / "variables/variables.index").read_bytes()
        assert weights == bytes([commits.index(record.commit)])


def test_the_digest_is_that_of_sha256sum_over_sorted_names() -> None:
    one, two = (hashlib.sha256(data).hexdigest() for data in (b"1", b"2"))
    listing = f"{one}  a\n{two}  b/c\n".encode()
    assert digest({"b/c": b"2", "a": b"1"}) == hashlib.sha256(listing).hexdigest()


def test_a_line_that_was_never_trained_says_so(store: MemoryStore, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"Received: 'z'.*chexnet train --line z"):
        released(store, tmp_path, line="z")


def test_a_commit_without_a_card_is_no_release(store: MemoryStore, tmp_path: Path) -> None:
    commit = store.write("models-b", {}, remove=[f"/release/{cards.CARD}"])
    with pytest.raises(BadInput, match=rf"models-b@{commit} without assets.extra/card.json"):
        released(store, tmp_path)
    assert not records(store)


def test_an_unknown_version_names_those_that_there_are(store: MemoryStore, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there are none"):
        read(store, 1)
    released(store, tmp_path)
    with pytest.raises(NotFound, match=r"there are 1\. Received: 4"):
        read(store, 4)
