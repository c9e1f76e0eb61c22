"""Error handler of the pipeline images: says by its exit code whether a file is at fault.

The same file is decoded once more, in a child that it can't harm. If that goes well, something else
failed: a full disk, the memory of the machine, an import. The datum then fails, and the next job
runs it again; a file at fault is left out, as the service preprocess rejects it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from chexnet.errors import BadInput, ChexnetError
from chexnet.runtime.decoding import IsolatedDecoder
from chexnet.settings import Settings

SOURCE = "source"  # The input of images, and so the variable with its file's path.


def main() -> int:
    """Return 0 if the file of the datum at hand is at fault, else 1."""
    settings = Settings()
    data = Path(os.environ[SOURCE]).read_bytes()
    try:
        IsolatedDecoder(settings.input, settings.limits).decode(data, settings.limits.of_input)
    except BadInput as error:
        print(f"the file is at fault ({error.code}): {error}", flush=True)
        return 0
    print("the file can be read: something else failed", flush=True)
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ChexnetError as error:
        sys.exit(str(error))
