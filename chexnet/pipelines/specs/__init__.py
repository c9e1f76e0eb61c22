"""The pipelines' specs: Pachyderm's own JSON, without a project."""

from __future__ import annotations

import hashlib
import inspect
import json
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from chexnet.inputs.base import Input

NAMES = ("images", "dataset", "models-a", "models-b", "ab-report")  # Upstream ones first.
DECODES = "chexnet/decodes"  # The annotation that changes when images would come out otherwise.
_LIBRARIES = ("numpy", "pillow", "pydicom")


def load(source: Input, image: str | None = None) -> list[dict[str, Any]]:
    """Return the specs of a site's pipelines, upstream ones first.

    Args:
        source: the installed input. Another one, or one that decodes otherwise, makes `images`
            process every file anew.
        image: what transforms run in, for Pachyderm's own workers; the project's runner needs none.
    """
    specs = {name: _read(name) for name in NAMES}
    if image is not None:
        for spec in specs.values():
            spec["transform"]["image"] = image
    annotations = specs["images"].setdefault("metadata", {}).setdefault("annotations", {})
    annotations[DECODES] = _digest(source)
    return list(specs.values())


def _read(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads(files(__name__).joinpath(f"{name}.json").read_text())
    return spec


def _digest(source: Input) -> str:
    """Return a digest of what decides how files are decoded: the input's package, and libraries."""
    folder = Path(inspect.getfile(type(source))).parent
    digest = hashlib.sha256(source.name.encode())
    for file in sorted(folder.glob("*.py")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    for library in _LIBRARIES:
        digest.update(f"{library} {version(library)}".encode())
    return digest.hexdigest()
