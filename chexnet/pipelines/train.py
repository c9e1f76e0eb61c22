"""Transform of models-a and models-b: a dataset and a recipe in, a release out.

Its log has lines of progress, which `chexnet train` shows as a bar.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from functools import partial
from pathlib import Path

from chexnet.data.checkout import unpack
from chexnet.errors import ChexnetError
from chexnet.inputs.base import load
from chexnet.messages import decode_json
from chexnet.pipelines import pfs
from chexnet.release import TRAINED
from chexnet.settings import Settings
from chexnet.training import initial
from chexnet.training.params import PARAMS, Params
from chexnet.training.progress import WARNING, Log


def main() -> int:
    """Train the datum's line; return the exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # Its notes on the CPU; errors raise.
    warnings.showwarning = _warn
    os.environ.pop("TF_CONFIG", None)  # One host has the job: it would wait for others for ever.
    settings = Settings()
    params = decode_json((pfs.path("params") / PARAMS).read_bytes(), Params)
    recipe = params.recipe()
    line = os.environ["PACH_PIPELINE_NAME"].removeprefix(TRAINED)
    from chexnet.training.run import run  # TensorFlow takes seconds: a wrong recipe fails first.

    if params.weights:
        given, kept = pfs.path("params") / initial.FILE, settings.state / "weights"
        recipe = initial.beginning_with(recipe, given, kept, line)
    # Beside the datum: it is the size of the dataset, and a container's /tmp may be memory.
    with tempfile.TemporaryDirectory(prefix="dataset-", dir=pfs.folder()) as scratch:
        name = f"dataset@{pfs.commit('dataset')}"
        run(
            unpack(pfs.path("dataset"), name, Path(scratch)),
            load(settings.input),
            recipe,
            line=line,
            config=params.config,
            out=pfs.out(),
            runs=settings.state / "runs",
            checkpoints=settings.state / "checkpoints",
            report=Log(partial(print, flush=True)),
        )
    return 0


def _warn(
    message: Warning | str,
    category: type[Warning],
    *_: object,
    **__: object,
) -> None:
    """Tell people what they asked for and don't get; libraries' notes stay notes."""
    told = WARNING if category is UserWarning else f"{category.__name__}: "
    print(f"{told}{message}", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ChexnetError as error:
        sys.exit(str(error))
