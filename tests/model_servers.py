"""Real releases, and real model servers as processes, for the tests that want both."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from msgspec import Struct

from chexnet.models import card as cards

LABELS = ("Effusion", "Mass", "Nodule")
SHAPE = (16, 16, 1)


def card(labels: tuple[str, ...] = LABELS, shape: tuple[int, ...] = SHAPE) -> cards.Card:
    """Return a card that says no more than it must."""
    return cards.Card(
        line="a",
        network="small_cnn",
        input="test",
        labels=labels,
        shape=shape,
        thresholds={},
        feature_mean=(0.0,),
        feature_std=(1.0,),
        metrics={},
        dataset="dataset@1",
        training_units=(),
        training_digest=cards.digest([]),
        code="0",
        seed=0,
        params={},
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
    )


def export(folder: Path, seed: int) -> None:
    """Write a tiny but real release: Keras, frozen, with card and golden outputs."""
    import keras

    from chexnet.models.export import export as write
    from chexnet.models.small_cnn import SmallCNN

    keras.utils.set_random_seed(seed)
    network = SmallCNN().build(SHAPE, LABELS, resolution=16, width=4, blocks=2)
    write(network, folder, card(), images(3, seed))


def images(count: int, seed: int = 0) -> np.ndarray:
    """Return canonical images of noise."""
    return np.random.default_rng(seed).integers(0, 256, (count, *SHAPE), dtype=np.uint8)


class Server(Struct):
    """A running model server."""

    process: subprocess.Popen[bytes]
    grpc: int
    rest: int

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.grpc}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


@contextmanager
def model_server(models: Path, config: Path | None = None, **settings: object) -> Iterator[Server]:
    """Start services/model_server, wait until it listens, stop it at the end."""
    given = {
        "grpc": "127.0.0.1:0",
        "rest": "127.0.0.1:0",
        "models": models,
        "threads": 1,
        "poll_seconds": 0.1,
        **({"config_file": config} if config else {}),
        **settings,
    }
    names = {f"CHEXNET_MODEL_SERVER__{k.upper()}": str(v) for k, v in given.items()}
    with tempfile.NamedTemporaryFile("w", suffix=".log") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.model_server.main"],
            env={**os.environ, **names},
            stderr=log,
        )
        try:
            yield Server(process, *_ports(process, Path(log.name)))
        finally:
            process.send_signal(signal.SIGTERM)  # Nothing happens where it has ended.
            process.wait(30)


def _ports(process: subprocess.Popen[bytes], log: Path) -> tuple[int, int]:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        for line in log.read_text().splitlines(keepends=True):
            if '"listening"' in line and line.endswith("\n"):
                entry = json.loads(line)
                return entry["grpc"], entry["rest"]
        time.sleep(0.02)
    raise AssertionError(f"the model server did not start: {log.read_text()}")
