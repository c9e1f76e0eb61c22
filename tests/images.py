"""Small images that tests send."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from chexnet.data import phantoms


def film(random: np.random.Generator, side: int = 96) -> bytes:
    """Return a PNG that looks like nothing and is like no other."""
    out = io.BytesIO()
    grey = random.integers(0, 256, (side, side), np.uint8)
    Image.fromarray(grey).save(out, "PNG")
    return out.getvalue()


def phantom(random: np.random.Generator) -> bytes:
    """Return a PNG like those that the tests' models learn from: a guardian finds it ordinary."""
    (drawn,) = phantoms.plan(1, int(random.integers(2**31)))
    return phantoms.png(phantoms.render(drawn, size=256))
