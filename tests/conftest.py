"""Fixtures that several suites share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data beside the project (or at CHEXNET_TEST_DATA). Nothing that a user runs needs it."""
    folder = Path(os.environ.get("CHEXNET_TEST_DATA", ROOT.parent / "shared"))
    if not (folder / "nih-sample").is_dir():
        pytest.skip(f"no real X-rays at {folder}: set CHEXNET_TEST_DATA to a folder that has them")
    return folder
