"""A training as a process of its own, to be killed, or to be one host of several.

python -m tests.unit.training.process FOLDER OUT RECIPE [DEVICES]

FOLDER holds a dataset; RECIPE is JSON: fields of the recipe that differ, where `patience` within
`schedule` makes it a plateau; DEVICES is into how many the CPU is divided. It prints a line with
the loss of each step, and at the end the digest of the weights that were kept.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from chexnet.data.checkout import unpack
from chexnet.messages import sha256
from chexnet.training.board import Board
from chexnet.training.checkpoint import Checkpoint
from chexnet.training.loop import Training
from chexnet.training.progress import Progress
from chexnet.training.recipe import Plateau
from tests.unit.training.recipes import WAVES

EVERY = 3  # Steps between two checkpoints.


def main() -> None:
    folder, out, changes = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    if changes.get("schedule"):
        changes["schedule"] = Plateau(**changes["schedule"])
    if len(sys.argv) > 4:
        one = tf.config.LogicalDeviceConfiguration()
        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [one] * int(sys.argv[4]))
    with tempfile.TemporaryDirectory() as scratch:
        data = unpack(folder, "dataset@0", Path(scratch))
        kept = Checkpoint(out, "run")
        trained = Training(replace(WAVES, **changes), data, kept, _tell, EVERY).run(Board(None))
    weights = b"".join(np.asarray(w).tobytes() for w in trained.model.get_weights())
    print(f"weights {sha256(weights)}", flush=True)


def _tell(now: Progress) -> None:
    word = "epoch" if now.ends_epoch else "step"
    print(f"{word} {now.epoch} {now.step} {now.loss!r}", flush=True)


if __name__ == "__main__":
    main()
