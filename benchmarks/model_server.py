"""The model server: its engine against TensorFlow, what batching gains, what the server costs.

python -m benchmarks.model_server [--rounds 30] [--threads 2]

DenseNet-121 at 224x224 with random weights, exported as releases are. The first ratio is a gate
(1.4): both engines hold the same frozen SavedModel in one process and are asked turn by turn.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from chexnet.adapters.tf_serving import TfServing
from chexnet.errors import ChexnetError
from chexnet.models.densenet121 import DenseNet121
from chexnet.models.export import export
from services.model_server.engines.openvino import OpenVino
from services.model_server.engines.tensorflow import TensorFlow, set_threads
from tests.model_servers import card, model_server

LABELS = tuple(f"finding {n}" for n in range(14))
SHAPE = (224, 224, 1)
CALLERS = 8  # Each with one request of one image at a time.


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    set_threads(args.threads)
    x = np.random.default_rng(0).integers(0, 256, (8, *SHAPE), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as scratch:
        release = Path(scratch) / "dense" / "1"
        keras.utils.set_random_seed(0)
        export(DenseNet121().build(SHAPE, LABELS), release, card(LABELS, SHAPE), x[:2])
        ours = OpenVino(release, threads=args.threads, streams=1, cache=None)
        reference = TensorFlow(release, streams=1)
        _engines(ours, reference, x, args.rounds)
        with model_server(Path(scratch), threads=args.threads) as server:
            _server(TfServing([server.address], "dense"), ours, x, args.rounds)


def _engines(ours: OpenVino, reference: TensorFlow, x: np.ndarray, rounds: int) -> None:
    one = {"x": x[:1]}
    a, b = alternating(lambda: ours.run(one), lambda: reference.run(one), rounds)
    print(f"TensorFlow / OpenVINO, batch 1: {b / a:.2f} (medians {b:.1f} / {a:.1f} ms; gate 1.40)")
    off = np.abs(ours.run(one)["probabilities"] - reference.run(one)["probabilities"]).max()
    print(f"probabilities differ by at most {off:.1e}")
    eight = {"x": x}
    a8, b8 = alternating(lambda: ours.run(eight), lambda: reference.run(eight), rounds // 3)
    print(f"TensorFlow / OpenVINO, batch 8: {b8 / a8:.2f} (medians {b8:.0f} / {a8:.0f} ms)")
    print(f"OpenVINO, images/s at batch 8 / at batch 1: {8 * a / a8:.2f}")


def _server(serving: TfServing, engine: OpenVino, x: np.ndarray, rounds: int) -> None:
    _wait(serving)
    one = x[:1]
    called, bare = alternating(
        lambda: serving.predict(1, one), lambda: engine.run({"x": one}), rounds
    )
    print(f"over gRPC / bare engine, batch 1: {called / bare:.2f} (+{called - bare:.1f} ms)")
    with ThreadPoolExecutor(CALLERS) as pool:
        start = time.perf_counter()
        list(pool.map(lambda _: serving.predict(1, one), range(CALLERS * rounds // 3)))
        rate = (CALLERS * rounds // 3) / (time.perf_counter() - start)
    print(f"images/s with {CALLERS} callers / one: {rate * called / 1000:.2f} ({rate:.0f}/s)")


def alternating(
    a: Callable[[], object], b: Callable[[], object], rounds: int
) -> tuple[float, float]:
    """Return the medians, in milliseconds, of two calls made turn by turn."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + 3):
        for call, taken in ((a, times[0]), (b, times[1])):
            start = time.perf_counter()
            call()
            if turn >= 3:  # The first ones warm up.
                taken.append((time.perf_counter() - start) * 1000)
    return statistics.median(times[0]), statistics.median(times[1])


def _wait(serving: TfServing) -> None:
    while "AVAILABLE" not in {s for of in _states(serving).values() for s in of.values()}:
        time.sleep(0.1)


def _states(serving: TfServing) -> dict[str, dict[int, str]]:
    try:
        return serving.states()
    except ChexnetError:
        return {}


if __name__ == "__main__":
    main()
