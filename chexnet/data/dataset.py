"""A dataset: canonical images with their labels and splits, as one commit of a repo.

`/index.json` says what it is; `/shards/*.npz` hold x (uint8 [n, *shape]), y (uint8 [n, L], 255 for
unknown), unit, image_id and split. Images come through the input's own `clean` and `decode`, so
training sees the bytes that serving sees.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from chexnet.data.labels import Labelled
from chexnet.data.parallel import spread
from chexnet.data.splits import split_of
from chexnet.errors import BadInput, ConfigError
from chexnet.inputs.base import Input, Limits, load
from chexnet.messages import Record
from chexnet.steps.ports import Store

INDEX = "/index.json"
SHARDS = "/shards"
SHARD_BYTES = 16 * 2**20


class Shard(Struct, frozen=True):
    """One file of the dataset."""

    path: str
    images: int


class Index(Record, frozen=True, kw_only=True):
    """What a dataset is, without its pixels."""

    schema: str = "dataset/1"
    input: str
    labels: tuple[str, ...]
    shape: tuple[int, ...]
    images: dict[str, int]  # By split.
    units: dict[str, int]
    shards: tuple[Shard, ...]


class Example(Struct, frozen=True):
    """One image on its way into a shard."""

    x: NDArray[np.uint8]
    y: tuple[int, ...]
    unit: str
    image_id: str


class Failed(Struct, frozen=True):
    """One file that is not in the dataset, and why."""

    file: str
    reason: str


class Built(Struct, frozen=True):
    """A new dataset."""

    commit: str
    index: Index
    failed: tuple[Failed, ...]


def build(
    store: Store,
    repo: str,
    source: Input,
    rows: Sequence[Labelled],
    *,
    limits: Limits,
    processes: int | None = None,
    report: Callable[[], None] = lambda: None,
) -> Built:
    """Commit the images of `rows` to `repo` as its dataset, in place of the one before.

    Args:
        store: where the repo is.
        repo: made where it is missing.
        source: the installed input; it is loaded by name in each process.
        rows: files, patients' pseudonyms and findings. Where there is no pseudonym, the image is a
            unit by itself.
        limits: of one file.
        processes: how many decode; by default one for each CPU.
        report: called after each file.

    Returns:
        The commit, its index, and the files that failed: one bad file stops nothing.

    Raises:
        ConfigError: no file was good.
    """
    failed: list[Failed] = []
    with tempfile.TemporaryDirectory(prefix="chexnet-dataset-") as scratch:
        read = partial(_read, source.name, limits)
        examples = _good(spread(read, rows, processes), failed, report)
        index = _write_shards(Path(scratch), source, examples)
        if not index.shards:
            first = f" The first: {failed[0].reason}" if failed else ""
            rule = "A dataset must have at least one readable image."
            raise ConfigError(f"{rule} Received: {len(rows)} files, none readable.{first}")
        store.ensure(repo)
        files = _Folder(Path(scratch), index)
        stale = [path for path in store.list(repo, SHARDS) if path not in files]
        commit = store.write(repo, files, remove=stale)
    return Built(commit, index, tuple(failed))


def _read(source: str, limits: Limits, row: Labelled) -> Example | Failed:
    try:
        kind = load(source)
        cleaned = kind.clean(row.path.read_bytes(), limits)
        x = kind.decode(cleaned.data, limits)
    except (BadInput, OSError) as error:
        return Failed(row.path.name, str(error))
    return Example(x, row.findings, row.patient or cleaned.image_id, cleaned.image_id)


def _good(
    read: Iterable[Example | Failed], failed: list[Failed], report: Callable[[], None]
) -> Iterator[Example]:
    seen: set[str] = set()
    for one in read:
        report()
        if isinstance(one, Failed):
            failed.append(one)
        elif one.image_id in seen:  # Under two units it could be in two splits.
            failed.append(Failed(one.image_id, "The same image is there twice; one is kept."))
        else:
            seen.add(one.image_id)
            yield one


def _write_shards(folder: Path, source: Input, examples: Iterator[Example]) -> Index:
    """Write index and shards below `folder`; only one shard is in memory at a time."""
    per_shard = max(1, SHARD_BYTES // int(np.prod(source.shape)))
    shards: list[Shard] = []
    images: Counter[str] = Counter()
    units: dict[str, str] = {}
    (folder / SHARDS[1:]).mkdir()
    for part in _chunks(examples, per_shard):
        splits = [split_of(e.unit) for e in part]
        images.update(splits)
        units.update(zip((e.unit for e in part), splits, strict=True))
        shards.append(Shard(f"{SHARDS}/{len(shards):05d}.npz", len(part)))
        np.savez(
            folder / shards[-1].path[1:],
            x=np.stack([e.x for e in part]),
            y=np.array([e.y for e in part], np.uint8),
            unit=np.array([e.unit for e in part]),
            image_id=np.array([e.image_id for e in part]),
            split=np.array(splits),
        )
    index = Index(
        input=source.name,
        labels=source.labels,
        shape=source.shape,
        images=dict(images),
        units=dict(Counter(units.values())),
        shards=tuple(shards),
    )
    (folder / INDEX[1:]).write_bytes(msgspec.json.format(index.encode(), indent=1))
    return index


def _chunks(examples: Iterator[Example], size: int) -> Iterator[list[Example]]:
    part: list[Example] = []
    for example in examples:
        part.append(example)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


class _Folder(Mapping[str, bytes]):
    """The files of a dataset on disk, each read when it is written to the store."""

    def __init__(self, folder: Path, index: Index) -> None:
        self._folder = folder
        self._paths = (INDEX, *(shard.path for shard in index.shards))

    def __getitem__(self, path: str) -> bytes:
        if path not in self._paths:
            raise KeyError(path)
        return (self._folder / path[1:]).read_bytes()

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def summary(built: Built, repo: str) -> dict[str, Any]:
    """Return what a script wants to know of a new dataset."""
    return {
        "dataset": f"{repo}@{built.commit}",
        "images": built.index.images,
        "units": built.index.units,
        "failed": [{"file": f.file, "reason": f.reason} for f in built.failed],
    }
