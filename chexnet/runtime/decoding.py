"""An input's decoder in a child process, where a poison file can harm nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chexnet.inputs.base import Limits, load
from chexnet.runtime.isolate import Isolated
from chexnet.settings import LimitSettings


class IsolatedDecoder:
    """Decodes as the input called `name` does."""

    def __init__(self, name: str, limits: LimitSettings) -> None:
        make = partial(_decoder, name)
        self._call = Isolated(make, memory=limits.decode_memory, seconds=limits.decode_seconds)

    def decode(self, data: bytes, limits: Limits) -> NDArray[np.uint8]:
        """Return the canonical image; raise BadInput if the file is at fault."""
        image: NDArray[np.uint8] = self._call(data, limits)
        return image


def _decoder(name: str) -> Callable[..., Any]:
    return load(name).decode
