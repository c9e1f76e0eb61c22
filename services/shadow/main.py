"""shadow: images → shadow, in a group of its own: a slow challenger can't delay an answer."""

from __future__ import annotations

from functools import partial

from chexnet.runtime.predicting import predict
from chexnet.runtime.stopping import run

if __name__ == "__main__":
    run(partial(predict, "shadow"))
