"""Transform of dataset: the curated images and labels in, shards out."""

from __future__ import annotations

import sys

from chexnet.data.assembly import assemble
from chexnet.errors import ChexnetError
from chexnet.inputs.base import load
from chexnet.pipelines import pfs
from chexnet.settings import Settings

EVERY = 500  # Images between two lines of the log.


def main() -> int:
    """Assemble the dataset; return the exit code."""
    source = load(Settings().input)
    index, report = assemble(pfs.path("images"), pfs.path("labels"), source, pfs.out(), _tell)
    splits = ", ".join(f"{split} {count}" for split, count in sorted(index.images.items()))
    print(f"{report.images} images: {splits}", flush=True)
    return 0


def _tell(done: int, total: int) -> None:
    if done % EVERY == 0 or done == total:
        print(f"{done} of {total} images", flush=True)  # `chexnet dataset cut` shows it as a bar.


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ChexnetError as error:
        sys.exit(str(error))
