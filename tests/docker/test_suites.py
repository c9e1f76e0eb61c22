"""The local suites of the whole path, on containers: the fixture `stack` is theirs here."""

# ruff: noqa: F403 Every test of these modules is meant.
from pathlib import Path

from chexnet.settings import Settings
from tests.integration import test_notebooks as notebooks
from tests.integration.test_waveform import *
from tests.integration.test_whole_path import *


def test_the_tour_runs_on_containers(champion: Settings, tmp_path: Path) -> None:
    notebooks.run("00_tour.ipynb", champion, tmp_path)
