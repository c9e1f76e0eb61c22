"""Batches in tf.data against bare reading and parsing of the same shards.

python -m benchmarks.input_pipeline [--images 3000]

Bare is each shard's file read and parsed by NumPy, in order. tf.data's images come one by one from
all shards in a new order, in batches of 32. Both ratios are gates (0.7), like against like: where
tf.data mirrors images at random, half of the bare ones are mirrored by NumPy. All take turns in one
process.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from chexnet.data.checkout import unpack
from chexnet.data.dataset import Example, write
from chexnet.data.pipeline import in_order, shuffled
from chexnet.inputs.base import load

BATCH, ROUNDS, GATE = 32, 15, 0.7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=3000)
    images = parser.parse_args().images
    with tempfile.TemporaryDirectory() as scratch:
        files, arrays = Path(scratch) / "files", Path(scratch) / "arrays"
        arrays.mkdir()
        index = write(files, load("chest_xray"), _noise(images))
        data = unpack(files, "dataset@0", arrays)
        rows, shards = np.arange(images), [files / shard.path[1:] for shard in index.shards]
        steps = images // BATCH
        plain, mirrored = (iter(shuffled(data, rows, BATCH, seed=0, flip=f)) for f in (False, True))
        turns = {
            "bare": lambda: sum(_parsed(shard) for shard in shards),
            "bare, mirrored": lambda: sum(_parsed(shard, mirror=True) for shard in shards),
            "shuffled": lambda: _count(islice(plain, steps)),
            "shuffled, mirrored": lambda: _count(islice(mirrored, steps)),
            "in order": lambda: _count(in_order(data, rows, BATCH)),
        }
        rates = _rates(turns)
    for name, rate in rates.items():
        print(f"{name}: {rate:.0f} images/s, {rate / rates['bare']:.2f} of bare")
    both = [rates[f"shuffled{how}"] / rates[f"bare{how}"] for how in ("", ", mirrored")]
    print(f"tf.data / bare: {both[0]:.2f}; both mirrored: {both[1]:.2f}")
    assert min(both) >= GATE


def _noise(images: int) -> Iterator[Example]:
    source, random = load("chest_xray"), np.random.default_rng(0)
    for number in range(images):
        x = random.integers(0, 256, source.shape, dtype=np.uint8)
        yield Example(x, (0,) * len(source.labels), f"unit{number // 2}", f"image{number}")


def _parsed(shard: Path, *, mirror: bool = False) -> int:
    with np.load(shard) as part:
        x, y = part["x"], part["y"]
    if mirror:
        turned = np.random.default_rng(0).random(len(x)) < 0.5
        x[turned] = x[turned, :, ::-1]
    return len(y)


def _count(batches: Iterator) -> int:
    return sum(len(x) for x, _ in batches)


def _rates(turns: dict[str, Callable[[], int]]) -> dict[str, float]:
    """Return images a second of each in its fastest round: load of others is no part of it."""
    taken: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(ROUNDS + 1):  # The first one traces, and brings the files into memory.
        for name, turn in turns.items():
            began = time.perf_counter()
            images = turn()
            taken[name].append(images / (time.perf_counter() - began))
    return {name: max(rates[1:]) for name, rates in taken.items()}


if __name__ == "__main__":
    main()
