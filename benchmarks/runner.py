"""What the pipelines' worker adds to its transforms, and what more workers gain.

python -m benchmarks.runner [--datums 2000] [--kept 5000] [--jobs 300]

A version store and a runner of its own. The transform turns a picture of 512 pixels square into
one of 224, as `images` does, without decoding a film: about 10 ms of one CPU.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from chexnet.adapters.pachyderm import Job, PachydermPipelines, PachydermStore
from tests.contract.pachyderm.server import Server
from tests.runners import Runner

PROJECT = "benchmark"
TRANSFORM = """
import io, os
from pathlib import Path
import numpy as np
from PIL import Image
from chexnet.adapters.pachyderm.batching import each_datum
from benchmarks.runner import shrink

def work():
    source = Path(os.environ["in"])
    (Path(os.environ["CHEXNET_PFS"]) / "out" / source.name).write_bytes(shrink(source.read_bytes()))

each_datum(work)
"""


def shrink(data: bytes) -> bytes:
    """Do a datum's work."""
    image = Image.open(io.BytesIO(data)).resize((224, 224), Image.Resampling.LANCZOS)
    return np.asarray(image).tobytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datums", type=int, default=2000)
    parser.add_argument("--kept", type=int, default=5000)
    parser.add_argument("--jobs", type=int, default=300)
    given = parser.parse_args()
    films = _films(200)
    bare = _bare(films)
    print(f"the transform alone, in a loop: {1000 * bare:.2f} ms a datum")
    rates = {}
    for workers in (1, 2, 4):
        if workers <= len(os.sched_getaffinity(0)):
            rates[workers] = given.datums / _job(films, given.datums, workers).seconds
            per = 1000 / rates[workers]
            share = bare * rates[workers] / workers
            print(
                f"{workers} workers: {rates[workers]:.0f} datums a second, {per:.2f} ms a datum; "
                f"{rates[workers] / rates[1]:.2f} x one worker; {share:.2f} of the transform alone"
            )
    _grow(films, given.kept)
    _repeat(given.jobs)


def _films(count: int) -> list[bytes]:
    random = np.random.default_rng(0)
    made = []
    for _ in range(count):
        out = io.BytesIO()
        small = random.integers(0, 255, (64, 64), np.uint8)
        Image.fromarray(small).resize((512, 512)).save(out, "PNG")
        made.append(out.getvalue())
    return made


def _bare(films: list[bytes]) -> float:
    began = time.perf_counter()
    for film in films:
        shrink(film)
    return (time.perf_counter() - began) / len(films)


def _put(store: PachydermStore, films: list[bytes], first: int, count: int) -> str:
    files = {
        f"/{n:06}": films[n % len(films)] + str(n).encode() for n in range(first, first + count)
    }
    return store.write("in", files)


def _job(films: list[bytes], count: int, workers: int) -> Job:
    """Return a job over new datums, its processes started by one before."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "store")
        store, pipelines = PachydermStore(server.address, PROJECT), _apply(server.address)
        runner = Runner(server.address, PROJECT, Path(folder), workers=workers)
        pipelines.wait("out", _put(store, films, 0, 4 * workers))
        job = pipelines.wait("out", _put(store, films, 10_000, count))
        assert (job.state, job.processed) == ("success", count), job.reason
        runner.stop()
        server.stop()
    return job


def _apply(address: str, command: list[str] | None = None) -> PachydermPipelines:
    store, pipelines = PachydermStore(address, PROJECT), PachydermPipelines(address, PROJECT)
    store.ensure("in")
    spec = {
        "pipeline": {"name": "out"},
        "input": {"pfs": {"name": "in", "repo": "in", "glob": "/*"}},
        "transform": {
            "cmd": command or ["python", "-c", TRANSFORM],
            "datum_batching": command is None,
        },
    }
    pipelines.apply([spec])
    return pipelines


def _grow(films: list[bytes], kept: int) -> None:
    """Print what 50 new datums cost beside many that were done."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "store")
        store, pipelines = PachydermStore(server.address, PROJECT), _apply(server.address)
        runner = Runner(server.address, PROJECT, Path(folder), workers=2)
        alone = pipelines.wait("out", _put(store, films, 0, 50))
        pipelines.wait("out", _put(store, films, 1000, kept))
        job = pipelines.wait("out", _put(store, films, 500_000, 50))
        assert (job.processed, job.skipped) == (50, kept + 50)
        runner.stop()
        server.stop()
    print(
        f"50 datums beside {kept} that were done: {job.seconds:.2f} s; with processes to start and "
        f"nothing beside: {alone.seconds:.2f} s"
    )


def _repeat(jobs: int) -> None:
    """Print what the last of many jobs with one new datum costs beside the third."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "store")
        store, pipelines = PachydermStore(server.address, PROJECT), _apply(server.address, ["true"])
        runner = Runner(server.address, PROJECT, Path(folder), workers=1)
        took = []
        for n in range(jobs):
            began = time.perf_counter()
            job = pipelines.wait("out", store.write("in", {f"/{n:06}": b"x"}))
            took.append(time.perf_counter() - began)
            assert (job.state, job.processed) == ("success", 1), job.reason
        runner.stop()
        server.stop()
    early, late = statistics.median(took[2:7]), statistics.median(took[-5:])
    print(
        f"one new datum, from upload to the job's end: {early:.2f} s as the third job, "
        f"{late:.2f} s as the one of number {jobs}: {late / early:.2f} x"
    )


if __name__ == "__main__":
    main()
