"""chexnet data phantoms, as a person calls it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chexnet.cli.main import app


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
