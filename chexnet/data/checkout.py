"""A dataset's commit on this machine's disk, to be read in any order."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chexnet.data.dataset import INDEX, SHARDS, Index
from chexnet.data.splits import Split
from chexnet.errors import BadInput, NotFound
from chexnet.messages import decode_json, new_id
from chexnet.steps.ports import Store

COLUMNS = ("y", "unit", "image_id", "split")  # Small: in memory. x is not.


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """All images of one commit. `x` and `y` stay on disk; the kernel keeps what is used."""

    name: str  # repo@commit
    index: Index
    x: NDArray[np.uint8]
    y: NDArray[np.uint8]
    unit: NDArray[np.str_]
    image_id: NDArray[np.str_]
    split: NDArray[np.str_]

    def rows(self, split: Split) -> NDArray[np.intp]:
        """Return the numbers of the images of one split."""
        return np.flatnonzero(self.split == split)


def resolve(store: Store, name: str) -> tuple[str, str]:
    """Return repo and commit of `repo@commit`, or of `repo`, whose newest commit it is then.

    Raises:
        NotFound: the repo has no commit.
    """
    repo, _, commit = name.partition("@")
    newest = commit or store.head(repo)
    if not newest:
        rule = f"A dataset must be a commit. Received: {name!r}, a repo without any."
        raise NotFound(f"{rule} Make one with: chexnet data build")
    return repo, newest


def checkout(store: Store, name: str, cache: Path) -> Dataset:
    """Return the dataset `name`; what is in `cache` already is not fetched again.

    Args:
        store: where the repo is.
        name: repo@commit, or a repo.
        cache: a folder; each commit gets one below it.

    Raises:
        NotFound: there is no such commit.
        BadInput: it is not a dataset, or of a schema that this version doesn't know.
    """
    repo, commit = resolve(store, name)
    folder = cache / f"{repo}@{commit}"
    if not folder.is_dir():
        unfinished = cache / f"{folder.name}.{new_id()}"
        unfinished.mkdir(parents=True)
        try:
            _fetch(store, repo, commit, unfinished)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return _open(folder)


def unpack(source: Path, name: str, into: Path) -> Dataset:
    """Return the dataset whose files lie in a folder, its images in one array on disk.

    Args:
        source: a folder with index.json and shards, as the commit has them.
        name: repo@commit, for the record.
        into: an empty folder for the arrays; it is used as long as the dataset is.

    Raises:
        BadInput: it is not a dataset, or of a schema that this version doesn't know.
    """
    index = _parse((source / INDEX[1:]).read_bytes())
    shards = ((source / shard.path[1:]).read_bytes() for shard in index.shards)
    _write(index, shards, into)
    return replace(_open(into), name=name)


def _fetch(store: Store, repo: str, commit: str, folder: Path) -> None:
    index = _parse(store.read(repo, INDEX, commit))
    _write(index, (data for _, data in store.fetch(repo, SHARDS, commit)), folder)


def _write(index: Index, shards: Iterable[bytes], folder: Path) -> None:
    total = sum(index.images.values())
    x = np.lib.format.open_memmap(
        folder / "x.npy", mode="w+", dtype=np.uint8, shape=(total, *index.shape)
    )
    columns: dict[str, list[NDArray[np.generic]]] = {name: [] for name in COLUMNS}
    done = 0
    for shard in shards:
        with np.load(io.BytesIO(shard)) as part:
            x[done : done + len(part["x"])] = part["x"]
            done += len(part["x"])
            for name, parts in columns.items():
                parts.append(part[name])
    x.flush()
    for name, parts in columns.items():
        np.save(folder / f"{name}.npy", np.concatenate(parts))
    (folder / "index.json").write_bytes(index.encode())


def _open(folder: Path) -> Dataset:
    return Dataset(
        name=folder.name,
        index=_parse((folder / "index.json").read_bytes()),
        x=np.load(folder / "x.npy", mmap_mode="r"),
        y=np.load(folder / "y.npy"),
        unit=np.load(folder / "unit.npy"),
        image_id=np.load(folder / "image_id.npy"),
        split=np.load(folder / "split.npy"),
    )


def _parse(data: bytes) -> Index:
    index = decode_json(data, Index)
    if index.schema != "dataset/1":
        rule = f"The schema of a dataset must be dataset/1. Received: {index.schema!r}."
        raise BadInput("schema", f"{rule} Upgrade this installation, or build the dataset again.")
    return index
