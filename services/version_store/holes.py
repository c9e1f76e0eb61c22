"""Holes: bytes in the middle of a file, given back to the disk. They read as zeros."""

from __future__ import annotations

import ctypes
import os

_KEEP_SIZE, _PUNCH_HOLE = 0x01, 0x02  # As Linux' falloc.h has them.
_ZEROS = bytes(2**20)


def punch(file: int, start: int, size: int) -> None:
    """Make a hole in an open file; on a file system that has none, write zeros."""
    fallocate = getattr(ctypes.CDLL(None, use_errno=True), "fallocate64", None)
    if fallocate is not None:
        fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
        if fallocate(file, _KEEP_SIZE | _PUNCH_HOLE, start, size) == 0:
            return
    for at in range(start, start + size, len(_ZEROS)):
        os.pwrite(file, _ZEROS[: min(len(_ZEROS), start + size - at)], at)
