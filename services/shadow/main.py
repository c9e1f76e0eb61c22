"""shadow: images → shadow, in a group of its own: a slow challenger can't delay an answer."""

from __future__ import annotations

from chexnet.runtime.predicting import run

if __name__ == "__main__":
    raise SystemExit(run("shadow"))
