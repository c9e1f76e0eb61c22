"""The guardian as a process on the real bus, with limits that any challenger passes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chexnet.settings import Settings
from tests.commands import ROOT, chexnet, chexnet_json, env_file
from tests.waveform import signals

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
STRICT = {"IMAGES": "20", "SLOW": "0", "LATENCY": "0.000001"}


@pytest.fixture
def guardian(waveform: Settings, tmp_path: Path) -> Iterator[Path]:
    """Start one with strict limits; yield its log."""
    limits = {f"CHEXNET_GUARDRAILS__{name}": value for name, value in STRICT.items()}
    log = tmp_path / "guardian.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.guardian.main"],
            cwd=ROOT,
            env={**os.environ, **limits, "CHEXNET_ENV_FILE": str(env_file(waveform))},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    yield log
    process.terminate()
    assert process.wait(timeout=60) == 0, log.read_text()


def test_a_challenger_that_passes_a_guardrail_is_stopped_with_the_reason_on_record(
    waveform: Settings, guardian: Path, tmp_path: Path
) -> None:
    options = ("--config", "demo_a", "--model", "waveform_cnn", "--quick")
    chexnet_json(waveform, "train", "--line", "b", *options)
    version = chexnet_json(waveform, "release", "--line", "b")["version"]
    name = f"guarded-{version}"
    started = chexnet_json(waveform, "experiment", "start", name, "--arm", f"b={version}")
    signals.write(tmp_path, 30, seed=91)
    chexnet(waveform, "upload", *tmp_path.glob("trace-*.csv"), "--wait")
    control = started
    while control["experiment"] is not None:
        control = chexnet_json(waveform, "status")["control"]
    entries = chexnet_json(waveform, "audit")
    stop = next(e for e in entries if e["action"] == "stop" and e["before"] == started["revision"])
    assert stop["who"] == "guardian"
    assert f"Guardrail latency: version {version}" in stop["reason"]
    assert control["champion"] == started["champion"]
    assert "breach" in guardian.read_text()
