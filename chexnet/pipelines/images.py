"""Transform of images: one file in, the image as the model sees it out."""

from __future__ import annotations

import sys

import numpy as np

from chexnet.adapters.pachyderm.batching import each_datum
from chexnet.data import places
from chexnet.errors import ChexnetError
from chexnet.inputs.base import Input, Limits, load
from chexnet.pipelines import pfs
from chexnet.settings import Settings


def process(source: Input, limits: Limits) -> None:
    """Do the datum at hand, by the same `decode` as the service preprocess.

    Raises:
        BadInput: the file is at fault.
    """
    image = source.decode(pfs.path("source").read_bytes(), limits)
    target = pfs.out() / places.parse(pfs.inside("source")).path(".npy").lstrip("/")
    target.parent.mkdir(parents=True)
    np.save(target, image)


def main() -> None:
    """Do datum after datum, until the worker ends this process."""
    settings = Settings()
    source, limits = load(settings.input), settings.limits.of_input
    each_datum(lambda: process(source, limits))


if __name__ == "__main__":
    try:
        main()
    except ChexnetError as error:
        sys.exit(str(error))
