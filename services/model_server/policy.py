"""Which versions of a model should be loaded: those in its folder that its version policy names."""

from __future__ import annotations

import os
from pathlib import Path

from services.model_server.config import ModelConfig


def aspired(model: ModelConfig) -> dict[int, Path]:
    """Return version → folder of the versions to serve, `latest 1` where the config says nothing.

    A version is a folder with a number for a name and a saved_model.pb in it: what is published
    by rename is never seen half.

    Raises:
        OSError: the base path can't be read; nothing is known then, so nothing should change.
    """
    found = _versions(Path(model.base_path))
    policy = model.model_version_policy
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return found
    if choice == "specific":
        return {v: found[v] for v in sorted(policy.specific.versions) if v in found}
    count = max(policy.latest.num_versions, 1)
    return {v: found[v] for v in sorted(found)[-count:]}


def _versions(base: Path) -> dict[int, Path]:
    found: dict[int, Path] = {}
    with os.scandir(base) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            if entry.name.isascii() and entry.name.isdigit() and entry.is_dir():
                found[int(entry.name)] = Path(entry.path)
    return found
