"""router: images → predictions, by the version that control and the unit name."""

from __future__ import annotations

from chexnet.runtime.predicting import run

if __name__ == "__main__":
    raise SystemExit(run("answer"))
