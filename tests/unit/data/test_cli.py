"""chexnet data phantoms, as a person calls it; and the processes that it draws with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chexnet.cli.main import app
from chexnet.data.parallel import spread


def test_phantoms_are_written_and_the_next_command_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    told = CliRunner().invoke(
        app, ["data", "phantoms", str(tmp_path / "out"), "--count", "3", "--size", "64"]
    )
    assert told.exit_code == 0, told.output
    assert len(list((tmp_path / "out").glob("phantom-0-*.png"))) == 3
    assert f"chexnet data import {tmp_path / 'out'}" in told.output.replace("\n", "")


def test_work_is_spread_over_processes_and_comes_back_in_order() -> None:
    assert list(spread(abs, range(-20, 0), processes=2)) == list(range(20, 0, -1))


def test_one_process_is_this_one() -> None:
    here: list[int] = []
    assert list(spread(here.append, [1, 2], processes=1)) == [None, None]
    assert here == [1, 2]
