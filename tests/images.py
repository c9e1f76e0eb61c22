"""Small images that tests send."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def film(random: np.random.Generator, side: int = 96) -> bytes:
    """Return a PNG that looks like nothing and is like no other."""
    out = io.BytesIO()
    grey = random.integers(0, 256, (side, side), np.uint8)
    Image.fromarray(grey).save(out, "PNG")
    return out.getvalue()
