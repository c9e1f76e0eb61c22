"""The messages come without the library, and the library still comes after or before them."""

from __future__ import annotations

import subprocess
import sys

import pytest

MESSAGES = "from chexnet.adapters.tf_serving import TfServing, messages, tensors"
LIBRARY = "import tensorflow as tf"
USE = """
import numpy as np
x = tensors.to_proto(np.arange(3, dtype=np.uint8))
assert tensors.to_array(x).tolist() == [0, 1, 2]
"""
BOTH = """
assert tf.constant([1]).numpy().tolist() == [1]
assert tf.make_ndarray(x).tolist() == [0, 1, 2]
request = messages.predict_pb2.PredictRequest()
request.inputs["x"].CopyFrom(tf.make_tensor_proto([0.5]))
assert tensors.to_array(request.inputs["x"]).tolist() == [0.5]
"""
SMALL = """
import sys
maps = open("/proc/self/maps").read()
assert "tensorflow" not in maps, [l for l in maps.splitlines() if "tensorflow" in l][:3]
assert not [name for name in sys.modules if name.partition(".")[0] == "tensorflow"]
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
kilobytes = int(status["VmHWM"].split()[0])
assert kilobytes < 120_000, kilobytes
"""


def run(*parts: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(parts)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_process_that_only_calls_loads_nothing_of_tensorflow() -> None:
    run(MESSAGES, USE, SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("order", [(MESSAGES, LIBRARY), (LIBRARY, MESSAGES)], ids=["last", "first"])
def test_both_work_in_one_process_in_either_order(order: tuple[str, str]) -> None:
    run(*order, USE, BOTH)
