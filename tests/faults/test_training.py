"""A training that is killed goes on as if it had not been; several hosts share one training."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from chexnet.data import phantoms
from chexnet.inputs.base import load
from tests import datasets
from tests.unit.data.test_dataset import folder_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 240 traces."""
    scratch = tmp_path_factory.mktemp("traces")
    datasets.folder(folder_of(scratch, 240, seed=1), load("waveform"), scratch / "dataset")
    return scratch / "dataset"


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 130 phantoms."""
    scratch = tmp_path_factory.mktemp("films")
    drawn = list(phantoms.write(scratch / "images", phantoms.plan(130, 2), size=64, processes=1))
    assert len(drawn) == 130
    datasets.folder(scratch / "images", load("chest_xray"), scratch / "dataset")
    return scratch / "dataset"


def start(
    folder: Path,
    out: Path,
    cluster: dict[str, Any] | None = None,
    devices: int = 1,
    **recipe: Any,
) -> Any:
    module = "tests.unit.training.process"
    command = [sys.executable, "-m", module, folder, out, json.dumps(recipe), devices]
    environment = {**os.environ, "TF_NUM_INTRAOP_THREADS": "1"}
    if cluster:
        environment["TF_CONFIG"] = json.dumps(cluster)
    return subprocess.Popen(
        [str(word) for word in command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def whole(process: Any) -> list[str]:
    """Return what a process that ends well has said."""
    said, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors[-3000:]
    return said.splitlines()


def killed_at(process: Any, line: str) -> list[str]:
    """Kill it when it says so; return what it has said."""
    said = []
    for word in process.stdout:
        said.append(word.strip())
        if word.startswith(line):
            process.send_signal(signal.SIGKILL)
            break
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    return said


FILMS = {
    "model": "small_cnn",  # With batch normalisation.
    "options": {"resolution": 28, "width": 4, "blocks": 2},
    "schedule": {"patience": 1, "factor": 0.5},
    "flip": True,
    "batch_size": 8,
    "steps_per_epoch": 10,
}


@pytest.mark.parametrize(
    ("dataset", "recipe"),
    [
        pytest.param("films", {"epochs": 3, **FILMS}, id="films, flipped, on a plateau"),
        pytest.param("folder", {"epochs": 3, "accumulate": 2}, id="traces, accumulated, cosine"),
    ],
)
def test_a_run_that_was_killed_twice_ends_with_the_weights_of_an_unbroken_one(
    dataset: str, request: pytest.FixtureRequest, tmp_path: Path, recipe: dict[str, Any]
) -> None:
    folder: Path = request.getfixturevalue(dataset)
    unbroken = whole(start(folder, tmp_path / "unbroken", **recipe))
    out = tmp_path / "broken"
    first = killed_at(start(folder, out, **recipe), "step 1 8 ")
    second = killed_at(start(folder, out, **recipe), "step 2 5 ")
    last = whole(start(folder, out, **recipe))
    # It went on after the last checkpoint, of step 6 of the first epoch and 4 of the second.
    assert second[0].startswith("step 1 7 ")
    assert last[0].startswith(("step 2 1 ", "step 2 2 ", "step 2 3 ", "step 2 4 ", "step 2 5 "))
    assert set(first + second + last) == set(unbroken)
    assert last[-1] == unbroken[-1]
    assert re.fullmatch(r"weights [0-9a-f]{64}", last[-1])


def test_two_hosts_train_one_model(folder: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        ports = []
        for _ in range(2):
            taken = stack.enter_context(socket.socket())
            taken.bind(("127.0.0.1", 0))
            ports.append(taken.getsockname()[1])
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    said = []
    hosts = [
        start(
            folder,
            tmp_path / "shared",
            {"cluster": cluster, "task": {"type": "worker", "index": index}},
            epochs=2,
        )
        for index in range(2)
    ]
    said = [whole(host) for host in hosts]
    assert said[0] == said[1]  # Losses of the whole batch, and the same weights.
    alone = whole(start(folder, tmp_path / "alone", epochs=2))
    losses = [[float(line.split()[3]) for line in lines[:-1]] for lines in (said[0], alone)]
    # Each has half of every batch; sums in another order differ in their last digits.
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_two_devices_of_one_host_train_as_one_would(folder: Path, tmp_path: Path) -> None:
    both = whole(start(folder, tmp_path / "both", devices=2, epochs=2))
    one = whole(start(folder, tmp_path / "one", epochs=2))
    losses = [[float(line.split()[3]) for line in lines[:-1]] for lines in (both, one)]
    # Each has half of every batch; sums in another order differ in their last digits.
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_a_batch_that_devices_cannot_share_is_refused(folder: Path, tmp_path: Path) -> None:
    three = start(folder, tmp_path, devices=3)
    errors = three.communicate(timeout=240)[1]
    assert "multiple of the 3 devices" in errors
