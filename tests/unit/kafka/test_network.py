"""Brokers that are frozen: their kernel takes connections, and nobody answers on them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka.errors import NodeNotReadyError
from kafka.protocol.metadata import MetadataRequest

from chexnet.adapters.kafka import network
from chexnet.adapters.kafka.connection import Connection
from chexnet.errors import Unavailable
from chexnet.settings import KafkaSettings
from tests.certificates import Authority


@pytest.fixture
def frozen() -> Iterator[list[socket.socket]]:
    made = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    for server in made:
        server.setblocking(False)
    yield made
    for server in made:
        server.close()


@pytest.fixture(params=["plaintext", "sasl_ssl"])
def security(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    if request.param == "plaintext":
        return {}
    (tmp_path / "password").write_text("secret")
    authority = Authority(tmp_path / "tls")
    return {
        "security": "sasl_ssl",
        "user": "service",
        "password_file": tmp_path / "password",
        "ca_file": authority.ca_file,
    }


@pytest.mark.timeout(20)
def test_frozen_brokers_are_unavailable_and_each_was_tried(
    frozen: list[socket.socket], security: dict[str, Any]
) -> None:
    bootstrap = ",".join(f"127.0.0.1:{server.getsockname()[1]}" for server in frozen)
    connection = Connection(KafkaSettings(bootstrap=bootstrap, **security), 1024)
    with pytest.raises(Unavailable, match="Unable to bootstrap"), connection.answering():
        connection.consumer(bootstrap_timeout_ms=600)
    for server in frozen:
        server.accept()[0].close()  # Raises where nobody has called.


def test_a_leader_that_metadata_does_not_list_is_not_ready_and_is_asked_for() -> None:
    client = network.client(bootstrap_servers=["127.0.0.1:1"], client_id="test")
    try:
        sent = client._manager.send(MetadataRequest(), node_id=7)
        assert isinstance(sent.exception, NodeNotReadyError)
        assert client._manager.cluster._need_update
    finally:
        client.close()
