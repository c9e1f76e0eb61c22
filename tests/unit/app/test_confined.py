"""What a confined process can't do, tried in a process that is confined."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from services.app.confined import Allowed, needed, version
from tests.playbooks import ROOT

LANDLOCK = pytest.mark.skipif(version() == 0, reason="this kernel has no Landlock")
TRIES = """
import json, os, subprocess, sys
from pathlib import Path
from services.app.confined import confine, needed

state, allowed, outside = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
assert confine(needed(state, state / "app", [allowed]))

def tried(act):
    try:
        act()
        return "done"
    except OSError as error:
        return type(error).__name__

secret = state / "secrets/identity.key"
child = f"open({str(secret)!r}).read()"
print(json.dumps({
    "own token": tried(allowed.read_text),
    "own folder": tried(lambda: (state / "app/note").write_text("x")),
    "null": tried(lambda: open("/dev/null", "w").write("x")),
    "key": tried(secret.read_text),
    "names of secrets": tried(lambda: os.listdir(state / "secrets")),
    "by a way round": tried(lambda: open(f"/proc/self/root{secret}").read()),
    "a write beside": tried(lambda: (state / "note").write_text("x")),
    "memory of others": tried(lambda: open(f"/proc/{outside}/mem", "rb")),
    "environment of others": tried(lambda: open(f"/proc/{outside}/environ", "rb").read()),
    "signal": tried(lambda: os.kill(outside, 0)),
    "child": subprocess.run([sys.executable, "-c", child], capture_output=True).returncode,
    "import": subprocess.run([sys.executable, "-c", "import numpy, services.app"]).returncode,
}))
"""


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What became of each try, in a state folder with secrets."""
    state = tmp_path_factory.mktemp("site") / "state"
    for name in ("secrets", "app"):
        (state / name).mkdir(parents=True)
    for name in ("identity.key", "app-gateway.token"):
        (state / "secrets" / name).write_text("s")
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                TRIES,
                state,
                state / "secrets/app-gateway.token",
                str(other.pid),
            ],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told


@LANDLOCK
@pytest.mark.parametrize("what", ["own token", "own folder", "null"])
def test_what_it_needs_it_has(what: str, tried: dict[str, object]) -> None:
    assert tried[what] == "done"


@LANDLOCK
@pytest.mark.parametrize(
    "what",
    [
        *("key", "names of secrets", "by a way round", "a write beside"),
        *("memory of others", "environment of others"),
    ],
)
def test_what_is_not_its_own_is_refused(what: str, tried: dict[str, object]) -> None:
    assert tried[what] == "PermissionError"


@pytest.mark.skipif(version() < 6, reason="this kernel's Landlock knows no signals")
def test_it_signals_nobody_outside(tried: dict[str, object]) -> None:
    assert tried["signal"] == "PermissionError"


@LANDLOCK
def test_its_children_are_confined_too_and_still_run(tried: dict[str, object]) -> None:
    assert tried["child"] != 0
    assert tried["import"] == 0


def test_a_checkout_with_its_state_in_it_is_read_around_the_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "checkout/.state"
    for name in (".state/secrets", ".state/app", "chexnet", "tests"):
        (tmp_path / "checkout" / name).mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "checkout"), str(state)])
    allowed = needed(state, state / "app", [])
    own = {path for path in allowed.read if path.is_relative_to(tmp_path)}
    assert own == {tmp_path / "checkout/chexnet", tmp_path / "checkout/tests"}
    assert allowed.listed == (tmp_path / "checkout",)
    assert isinstance(allowed, Allowed)
