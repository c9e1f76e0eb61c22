"""router: images → predictions, by the version that control and the unit name."""

from __future__ import annotations

from functools import partial

from chexnet.runtime.predicting import predict
from chexnet.runtime.stopping import run

if __name__ == "__main__":
    run(partial(predict, "answer"))
