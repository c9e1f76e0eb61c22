"""Transform of dataset: the curated images and labels in, shards out."""

from __future__ import annotations

import sys

from chexnet.data.assembly import assemble
from chexnet.errors import ChexnetError
from chexnet.inputs.base import load
from chexnet.pipelines import pfs
from chexnet.settings import Settings


def main() -> int:
    """Assemble the dataset; return the exit code."""
    source = load(Settings().input)
    index, report = assemble(pfs.path("images"), pfs.path("labels"), source, pfs.out())
    splits = ", ".join(f"{split} {count}" for split, count in sorted(index.images.items()))
    print(f"{report.images} images: {splits}", flush=True)
    left_out = report.unlabelled + report.twice + report.wrong_shape
    print(f"left out {left_out} images; {report.absent} labelled ones are not there", flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ChexnetError as error:
        sys.exit(str(error))
