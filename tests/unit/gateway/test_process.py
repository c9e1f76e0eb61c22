"""The gateway as a process, where no broker answers: it says so, and stops when it is told to."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from chexnet.adapters.gateway import HttpGateway
from chexnet.errors import Unavailable
from chexnet.settings import GatewaySettings
from tests.bad_inputs import png

pytestmark = pytest.mark.slow


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    due = time.monotonic() + 60
    while time.monotonic() < due:
        try:
            httpx.get(f"http://127.0.0.1:{port}/uploads/none")
        except httpx.TransportError:
            threading.Event().wait(0.05)  # Until it listens.
        else:
            return
    pytest.fail("The gateway did not listen within 60 s.")


def test_without_a_broker_it_refuses_at_once_and_a_stop_is_no_failure(tmp_path: Path) -> None:
    port, closed = _free_port(), _free_port()
    token, key = tmp_path / "token", tmp_path / "key"
    token.write_text("secret")
    key.write_bytes(bytes(40))
    key.chmod(0o600)
    site = {
        "ENV_FILE": str(tmp_path / "none"),
        "STATE": str(tmp_path),
        "KAFKA__BOOTSTRAP": f"127.0.0.1:{closed}",
        "STORE__ADDRESS": "127.0.0.1:1",
        "SERVING__REPLICAS": "127.0.0.1:1",
        "GATEWAY__URL": f"http://127.0.0.1:{port}",
        "GATEWAY__TOKEN_FILE": str(token),
        "GATEWAY__IDENTITY_KEY_FILE": str(key),
    }
    environment = {**os.environ, **{f"CHEXNET_{name}": value for name, value in site.items()}}
    command = [sys.executable, "-m", "services.gateway.main"]
    with subprocess.Popen(command, env=environment, start_new_session=True) as process:
        try:
            _wait_for(port)
            client = HttpGateway(GatewaySettings(url=f"http://127.0.0.1:{port}", token_file=token))
            assert [r.code for r in client.send(io.BytesIO(bytes(33 * 2**20))).refused] == [
                "too-large"
            ]
            with pytest.raises(Unavailable, match="Kafka"):
                client.send(png())
            os.killpg(process.pid, signal.SIGTERM)  # As supervisor does.
            assert process.wait(30) == 0
        finally:
            process.kill()
