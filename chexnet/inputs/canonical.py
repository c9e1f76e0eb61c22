"""From grey values of any size to the canonical image, and back to something to look at."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Cividis at eight even steps (Nuñez et al. 2018, PLOS ONE 13:e0199239): the same to all eyes.
CIVIDIS = np.array(
    [
        (0, 34, 78),
        (35, 62, 108),
        (76, 85, 109),
        (107, 109, 114),
        (139, 136, 120),
        (175, 165, 113),
        (214, 196, 95),
        (254, 232, 56),
    ],
    np.float32,
)


def resize(grey: NDArray[np.floating | np.unsignedinteger], side: int) -> NDArray[np.uint8]:
    """Return `grey` [rows, columns], 0 to 255, as uint8 [side, side], antialiased."""
    image = Image.fromarray(grey if grey.dtype == np.uint8 else grey.astype(np.float32))
    small = np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))
    return small if small.dtype == np.uint8 else np.rint(small).clip(0, 255).astype(np.uint8)


def stretch(grey: NDArray[np.unsignedinteger]) -> NDArray[np.float32]:
    """Return 16-bit values as 0 to 255, over their own range: many files hold 12 bits in 16."""
    low, high = float(grey.min()), float(grey.max())
    return ((grey - low) * (255 / max(high - low, 1.0))).astype(np.float32)


def png(image: NDArray[np.uint8]) -> bytes:
    """Return `image`, grey or RGB, as PNG."""
    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG", compress_level=1)
    return out.getvalue()


def blend(grey: NDArray[np.uint8], cam: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return RGB [rows, columns, 3]: `grey` under the positive part of `cam` [h, w], upsampled.

    A cell of the map covers its block of pixels, so that a peak lies where the network saw it.
    """
    positive = np.maximum(cam.astype(np.float32), 0)
    rows, columns = grey.shape
    wide = Image.fromarray(positive).resize((columns, rows), Image.Resampling.BILINEAR)
    heat = np.asarray(wide) / max(float(positive.max()), 1e-9)
    at = heat * (len(CIVIDIS) - 1)
    below = np.minimum(at.astype(int), len(CIVIDIS) - 2)
    share = (at - below)[..., None]
    colour = CIVIDIS[below] * (1 - share) + CIVIDIS[below + 1] * share
    opacity = 0.65 * heat[..., None]
    return np.asarray(np.rint(grey[..., None] * (1 - opacity) + colour * opacity), np.uint8)
