"""Data from a folder to a dataset: import, images, cut; then 50 more, and how fast shards are read.

python -m benchmarks.dataset [--images 5000] [--real FOLDER]

Phantoms are drawn, and the PNG and DICOM files of a folder of real films join them, with made-up
labels: here only the work counts. Each rate stands beside that of the bare function, which this
process calls on some of the same files, times the number of workers.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.timing import timed
from chexnet.adapters.pachyderm import Job
from chexnet.data import phantoms
from chexnet.data.checkout import unpack
from chexnet.data.labels import LABELS_FILE
from chexnet.inputs.base import Input, Limits
from chexnet.pipelines.cut import Cut
from tests import sites
from tests.sites import Site

MORE, SAMPLE = 50, 100
WORKERS = len(os.sched_getaffinity(0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--real", type=Path, help="a folder of real films")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        real = sorted(_films(given.real)) if given.real else []
        seconds = timed(lambda: _draw(folder / "films", given.images, real))[0]
        print(f"{given.images} images, {len(real)} of them real; drawn in {seconds:.0f} s")
        with sites.site(folder, "chest_xray", WORKERS) as site:
            _flow(site, folder, given.images)


def _flow(site: Site, folder: Path, count: int) -> None:
    clean, decode = _bare(site.source, sorted(_films(folder / "films")))
    site.pipelines.stop("images")  # So that each has the machine for itself.
    seconds, done = timed(lambda: site.import_(folder / "films", "films", None))
    _told("import", done.sent, seconds, clean)
    seconds, again = timed(lambda: site.import_(folder / "films", "films", None))
    print(f"the same again: {again.sent} sent, {seconds:.2f} s")
    seconds, job = timed(lambda: _images(site))
    print(f"images: {job.processed} processed, {job.recovered} unreadable, {job.total} in all")
    _told("images", job.total, seconds, decode)
    seconds, made = timed(site.cut)
    print(
        f"cut: {made.report.images} images, {seconds:.1f} s, {made.report.images / seconds:.0f}/s"
    )
    print(f"  {made.index.images}; left out {made.report.named}")
    _draw(folder / "more", MORE, [], seed=1)
    site.import_(folder / "more", "more", None)
    job = site.settled()
    print(f"{MORE} more: {job.processed} processed, {job.skipped} skipped, {job.seconds:.2f} s")
    assert (job.processed, job.skipped) == (MORE, count)
    made = site.cut()
    print(f"cut again: {made.report.images} images")
    _reading(site, made, folder)


def _images(site: Site) -> Job:
    site.pipelines.start("images")
    return site.settled()


def _bare(source: Input, files: list[Path]) -> tuple[float, float]:
    """Return how many files a second clean and decode do, each alone, on one core."""
    chosen = [files[n].read_bytes() for n in np.linspace(0, len(files) - 1, SAMPLE, dtype=int)]
    limits = Limits()
    clean, cleaned = timed(lambda: [source.clean(data, limits) for data in chosen])
    decode, _ = timed(lambda: [source.decode(one.data, limits) for one in cleaned])
    return SAMPLE / clean, SAMPLE / decode


def _told(name: str, count: int, seconds: float, bare: float) -> None:
    rate, limit = count / seconds, bare * WORKERS
    print(f"{name}: {rate:.0f}/s, {rate / limit:.2f} of the bare function on {WORKERS} cores")


def _reading(site: Site, made: Cut, folder: Path) -> None:
    files = folder / "dataset"
    for path, data in site.store.fetch("dataset", "/", made.commit):
        target = files / path[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    shards = sorted((files / "shards").glob("*.npz"))
    arrays = folder / "arrays"
    arrays.mkdir()
    total = made.report.images
    rates = {
        "bytes of the shards": lambda: [shard.read_bytes() for shard in shards],
        "shards by NumPy": lambda: [np.load(shard)["x"] for shard in shards],
        "shards into one array on disk": lambda: unpack(files, "dataset@0", arrays),
    }
    for name, read in rates.items():
        print(f"reading, {name}: {total / timed(read)[0]:.0f} images/s")


def _films(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.suffix in {".png", ".dcm"}]


def _draw(folder: Path, count: int, real: list[Path], seed: int = 0) -> None:
    for _ in phantoms.write(folder, phantoms.plan(count - len(real), seed=seed)):
        pass
    table = folder / LABELS_FILE
    with table.open(newline="") as file:
        columns = csv.DictReader(file).fieldnames or []
    with table.open("a", newline="") as file:
        rows = csv.DictWriter(file, columns, restval="0")
        for number, film in zip(itertools.count(), real):
            name = f"real-{number:04d}{film.suffix}"
            (folder / name).write_bytes(film.read_bytes())
            rows.writerow({"file": name, "patient": ""})


if __name__ == "__main__":
    main()
