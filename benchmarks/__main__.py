"""Every benchmark, one after the other: python -m benchmarks."""

from __future__ import annotations

import subprocess
import sys

NAMES = (
    "version_store",
    "runner",
    "model_server",
    "input_pipeline",
    "training",
    "phantoms",
    "dataset",
    "bus",
    "workspace",
    "evaluation",
    "experiments",
    "experiment_designs",
    "month",
)

for name in NAMES:
    print(f"\n{name}", flush=True)
    subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)
