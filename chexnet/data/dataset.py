"""A dataset: canonical images with their labels and splits, as the files of one commit.

`/index.json` says what it is; `/shards/*.npz` hold x (uint8 [n, *shape]), y (uint8 [n, L], 255 for
unknown), unit, image_id, split and details (text [n, 3]); `/splits.json` has the units whose import
says their split. The same examples in the same order give the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from chexnet.data.splits import Split, split_of
from chexnet.evaluation.details import DETAILS
from chexnet.inputs.base import Input
from chexnet.messages import Record

INDEX = "/index.json"
SHARDS = "/shards"
TOLD = "/splits.json"
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
    split: Split | None = None  # By hash of the unit without.
    details: dict[str, str] = field(default_factory=dict)  # Sex, age and view, in groups.


def write(folder: Path, source: Input, examples: Iterable[Example]) -> Index:
    """Write index and shards below `folder`; only one shard is in memory at a time."""
    per_shard = max(1, SHARD_BYTES // int(np.prod(source.shape)))
    shards: list[Shard] = []
    images: Counter[str] = Counter()
    units: dict[str, str] = {}
    told: dict[str, str] = {}
    (folder / SHARDS[1:]).mkdir(parents=True)
    for part in _chunks(examples, per_shard):
        splits = [e.split or split_of(e.unit) for e in part]
        told.update((e.unit, e.split) for e in part if e.split)
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
            details=np.array([[e.details.get(name, "") for name in DETAILS] for e in part]),
        )
    index = Index(
        input=source.name,
        labels=source.labels,
        shape=source.shape,
        images=dict(images),
        units=dict(Counter(units.values())),
        shards=tuple(shards),
    )
    if told:
        (folder / TOLD[1:]).write_bytes(msgspec.json.encode(dict(sorted(told.items()))))
    (folder / INDEX[1:]).write_bytes(msgspec.json.format(index.encode(), indent=1))
    return index


def _chunks(examples: Iterable[Example], size: int) -> Iterator[list[Example]]:
    part: list[Example] = []
    for example in examples:
        part.append(example)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
