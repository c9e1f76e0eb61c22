"""A dataset on this machine's disk, to be read in any order."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chexnet.data.dataset import INDEX, Index
from chexnet.data.splits import Split
from chexnet.errors import BadInput, NotFound
from chexnet.evaluation.details import DETAILS
from chexnet.messages import decode_json
from chexnet.steps.ports import Store

COLUMNS = ("y", "unit", "image_id", "split", "details")  # Small: in memory. x is not.


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
    details: NDArray[np.str_]  # [n, 3]: sex, age and view, in groups; empty where unknown.

    def rows(self, split: Split) -> NDArray[np.intp]:
        """Return the numbers of the images of one split."""
        return np.flatnonzero(self.split == split)


def some(rows: NDArray[np.intp], most: int | None, seed: int) -> NDArray[np.intp]:
    """Return at most `most` of the rows, drawn by `seed`, in their order.

    Not the first ones: rows are in the order of patients' names, which may be the order of years.
    """
    if most is None or len(rows) <= most:
        return rows
    drawn: NDArray[np.intp] = np.random.default_rng(seed).choice(rows, most, replace=False)
    return np.sort(drawn)


def resolve(store: Store, name: str) -> tuple[str, str]:
    """Return repo and commit of `repo@commit`, or of `repo`, whose newest dataset it is then.

    Raises:
        NotFound: there is no dataset.
    """
    repo, _, commit = name.partition("@")
    newest = commit or store.head(repo)
    # A pipeline's first commit is made of inputs that hold nothing yet.
    if not newest or not store.list(repo, INDEX, newest):
        rule = f"A dataset must be a commit that holds one. Received: {name!r}, which has none."
        raise NotFound(f"{rule} Make one with: chexnet dataset cut")
    return repo, newest


def unpack(source: Path, name: str, into: Path) -> Dataset:
    """Return the dataset whose files lie in a folder, its images in one array on disk.

    Args:
        source: a folder with index.json and shards, as the commit has them.
        name: repo@commit, for the record.
        into: an empty folder for the arrays; it is used as long as the dataset is.

    Raises:
        BadInput: it is not a dataset, or of a schema that this version doesn't know.
        NotFound: a patient was taken out of it, with a shard.
    """
    index = parse((source / INDEX[1:]).read_bytes())
    if missing := [s.path for s in index.shards if not (source / s.path[1:]).exists()]:
        rule = "A dataset must have all its shards."
        received = f"Received: {name} without {', '.join(missing)}; a patient was forgotten."
        raise NotFound(f"{rule} {received} Make a new one with: chexnet dataset cut")
    shards = ((source / shard.path[1:]).read_bytes() for shard in index.shards)
    _write(index, shards, into)
    return replace(_open(into), name=name)


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
                parts.append(part[name] if name in part else untold(len(part["x"])))
    x.flush()
    for name, parts in columns.items():
        np.save(folder / f"{name}.npy", np.concatenate(parts))
    (folder / "index.json").write_bytes(index.encode())


def _open(folder: Path) -> Dataset:
    return Dataset(
        name=folder.name,
        index=parse((folder / "index.json").read_bytes()),
        x=np.load(folder / "x.npy", mmap_mode="r"),
        y=np.load(folder / "y.npy"),
        unit=np.load(folder / "unit.npy"),
        image_id=np.load(folder / "image_id.npy"),
        split=np.load(folder / "split.npy"),
        details=np.load(folder / "details.npy"),
    )


def untold(images: int) -> NDArray[np.str_]:
    """Return the details that datasets had which were cut before they were kept."""
    return np.full((images, len(DETAILS)), "")


def parse(data: bytes) -> Index:
    """Return the index that `data` holds; raise BadInput if it is none that is known here."""
    index = decode_json(data, Index)
    if index.schema != "dataset/1":
        rule = f"The schema of a dataset must be dataset/1. Received: {index.schema!r}."
        raise BadInput("schema", f"{rule} Upgrade this installation, or cut the dataset again.")
    return index
