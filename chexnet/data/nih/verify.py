"""Verify: what is on disk against what was published."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from chexnet.data.nih.archives import ARCHIVES, BOXES, BOXES_HELD, BY_HAND, LISTS
from chexnet.data.nih.download import fault


def faults(folder: Path, told: Callable[[int, str], None]) -> dict[str, str]:
    """Return file → what is wrong with it, "" for nothing: archives, lists, boxes.

    Args:
        folder: of all of them.
        told: called with the number of files and the name of each when it is checked.
    """
    checks = {a.name: partial(fault, a, folder / a.name) for a in ARCHIVES}
    checks |= {name: partial(_differs, folder / name, sha) for name, sha in LISTS.items()}
    checks[BOXES] = partial(_boxes, folder / BOXES)
    found = {}
    with ThreadPoolExecutor() as pool:  # hashlib lets go of the interpreter.
        jobs = {name: pool.submit(check) for name, check in checks.items()}
        for name, job in jobs.items():
            found[name] = job.result()
            told(len(jobs), name)
    return found


def _differs(file: Path, sha256: str) -> str:
    if not file.exists():
        return f"{file.name} is not there."
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found == sha256:
        return ""
    return f"The SHA-256 of {file.name} must be {sha256}. Received: {found}."


def _boxes(file: Path) -> str:
    """Say what is wrong with the boxes: with what they hold, as their digest is not published."""
    if not file.exists():
        return f"{file.name} is not there."
    with file.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
        images = [row[0] for row in list(csv.reader(lines))[1:] if row]
    found = len(images), len(set(images))
    if found == BOXES_HELD:
        return ""
    boxes, films = BOXES_HELD
    rule = f"{file.name} must have {boxes} boxes on {films} images."
    return f"{rule} Received: {found[0]} on {found[1]}."


def missing(folder: Path) -> list[str]:
    """Return NIH's lists that are not in a folder; they have no direct links."""
    return [name for name in BY_HAND if not (folder / name).exists()]
