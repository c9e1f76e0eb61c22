"""What a workspace waits for before it is there: not for what only other pages need."""

from __future__ import annotations

import subprocess
import sys

import pytest

import chexnet.ui

CODE = "import sys; from chexnet.ui import Shared, Workspace; print(*sys.modules)"


def test_a_workspace_loads_no_plots_and_no_statistics() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "anywidget" in loaded
    assert loaded & {"matplotlib", "scipy", "tensorflow"} == set()


def test_every_page_is_there_and_no_other() -> None:
    assert [getattr(chexnet.ui, name).__name__ for name in chexnet.ui.__all__] == chexnet.ui.__all__
    with pytest.raises(AttributeError, match="no attribute 'Page'"):
        _ = chexnet.ui.Page
