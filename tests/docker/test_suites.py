"""The local suites of the whole path, on containers: the fixture `stack` is theirs here."""

# ruff: noqa: F403 Every test of these modules is meant.
from tests.integration.test_notebooks import *
from tests.integration.test_waveform import *
from tests.integration.test_whole_path import *
