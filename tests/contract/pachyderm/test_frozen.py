"""A store that is frozen: its connections stay, and nothing is answered on them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from pachyderm_sdk import client
from pachyderm_sdk.constants import GRPC_CHANNEL_OPTIONS

from chexnet.adapters.pachyderm import PachydermStore
from chexnet.errors import Unavailable
from tests.contract.pachyderm.server import Server


@pytest.mark.timeout(60)
def test_a_call_to_a_frozen_store_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sooner = [
        (name, 500 if name.endswith(("keepalive_time_ms", "ping_timeout_ms")) else value)
        for name, value in GRPC_CHANNEL_OPTIONS
    ]
    monkeypatch.setattr(client, "GRPC_CHANNEL_OPTIONS", sooner)
    server = Server(tmp_path / "folder")
    try:
        store = PachydermStore(server.address, "xray")
        store.ensure("raw")
        server.process.send_signal(signal.SIGSTOP)
        with pytest.raises(Unavailable, match="Waiting for the version store"):
            store.ensure("raw")
    finally:
        server.kill()
