"""A pulse trace as an input: one column of numbers, 256 samples for the model, three labels."""

from __future__ import annotations

import io
import re

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from chexnet.errors import BadInput
from chexnet.inputs.base import Cleaned, Limits
from chexnet.messages import sha256

SAMPLES = 256
SHORTEST = 16
RANGE = (-1.5, 1.5)  # Millivolts at 0 and 255 of the canonical trace; beyond is clipped.
COMMENT = re.compile(r"#\s*(\w+)\s*:\s*(.*\S)")
SIZE = (1024, 320)  # Of the picture, in pixels.
INK, GRID, PAPER, HEAT = (22, 50, 92), (226, 230, 236), (255, 255, 255), (213, 94, 0)


class Waveform:
    """Text files with one number a line; `# patient: …` and `# issuer: …` lines may come first."""

    name = "waveform"
    labels = ("Fast", "Irregular", "Dropout")
    shape = (SAMPLES, 1)
    suffixes = (".csv",)

    def clean(self, data: bytes, limits: Limits) -> Cleaned:
        """Keep the numbers; hand the patient over and drop every other comment."""
        comments, values = _read(data, limits)
        told = {m[1]: m[2] for line in comments if (m := COMMENT.match(line))}
        kept = "".join(f"{v:.6g}\n" for v in values).encode()
        return Cleaned(
            data=kept,
            image_id=sha256(kept),
            patient=told.get("patient"),
            issuer=told.get("issuer", ""),
        )

    def decode(self, data: bytes, limits: Limits) -> NDArray[np.uint8]:
        """Resample to 256 samples and bring the range to 0..255."""
        comments, values = _read(data, limits)
        if comments:
            rule = "A trace on the bus must have no comments: they can show whose it is."
            raise BadInput("identity", f"{rule} Received: {len(comments)}. Use the gateway.")
        wanted = np.linspace(0, len(values) - 1, SAMPLES)
        even = np.interp(wanted, np.arange(len(values)), values)
        low, high = RANGE
        scaled = (np.clip(even, low, high) - low) / (high - low) * 255
        return scaled.round().astype(np.uint8).reshape(self.shape)

    def view(self, data: bytes, limits: Limits) -> bytes:
        """Draw the trace of a file."""
        return self.render(self.decode(data, limits))

    def render(self, canonical: NDArray[np.uint8]) -> bytes:
        """Draw the trace as a line."""
        return _png(canonical, np.zeros(1))

    def overlay(self, canonical: NDArray[np.uint8], cam: NDArray[np.float32]) -> bytes:
        """Draw the trace over a background that shades where `cam` is high."""
        along = np.asarray(cam, np.float64).mean(axis=0)
        spread = float(np.ptp(along)) or 1.0
        return _png(canonical, (along - along.min()) / spread)


def _read(data: bytes, limits: Limits) -> tuple[list[str], NDArray[np.float64]]:
    if len(data) > limits.encoded_bytes:
        rule = f"A trace may have at most {limits.encoded_bytes:,} bytes."
        raise BadInput("too-large", f"{rule} Received: {len(data):,}. Cut it into pieces.")
    try:
        lines = [line.strip() for line in data.decode("ascii").splitlines() if line.strip()]
        comments = [line for line in lines if line.startswith("#")]
        values = np.array([float(line) for line in lines if not line.startswith("#")])
    except ValueError as error:
        rule = "A trace must be text with one number a line."
        raise BadInput("not-a-trace", f"{rule} Received: something else. Export CSV.") from error
    if len(values) < SHORTEST or len(values) > limits.pixels:
        rule = f"A trace must have {SHORTEST} to {limits.pixels:,} samples."
        raise BadInput("length", f"{rule} Received: {len(values):,}. Record it again, or cut it.")
    if not np.isfinite(values).all():
        rule = "Every sample of a trace must be a finite number."
        raise BadInput("not-finite", f"{rule} Received: nan or inf. Leave the gap's samples out.")
    return comments, values


def _png(canonical: NDArray[np.uint8], heat: NDArray[np.float64]) -> bytes:
    width, height = SIZE
    columns = np.interp(np.linspace(0, 1, width), np.linspace(0, 1, len(heat)), heat)
    mix = 0.6 * columns[None, :, None]
    ground = np.array(PAPER) * (1 - mix) + np.array(HEAT) * mix
    picture = Image.fromarray(np.broadcast_to(ground, (height, width, 3)).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for step in range(1, 16):
        draw.line([(step * width // 16, 0), (step * width // 16, height)], fill=GRID)
    for step in range(1, 5):
        draw.line([(0, step * height // 5), (width, step * height // 5)], fill=GRID)
    x = np.linspace(0, width - 1, SAMPLES)
    y = height - 1 - canonical.reshape(-1) / 255 * (height - 1)
    draw.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=INK, width=3, joint="curve")
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
