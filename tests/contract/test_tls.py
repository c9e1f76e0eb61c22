"""Every server that has a certificate is reached by it alone; whoever can't is told why."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from chexnet.adapters import tls
from chexnet.adapters.gateway import HttpGateway
from chexnet.adapters.pachyderm import PachydermStore
from chexnet.adapters.tf_serving import TfServing
from chexnet.errors import ConfigError, Unavailable
from chexnet.settings import GatewaySettings, StoreSettings
from tests.bad_inputs import png
from tests.certificates import Authority
from tests.contract.pachyderm.server import Server
from tests.model_servers import export, images, model_server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("other"), "stranger")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[str]:
    server = Server(tmp_path_factory.mktemp("store") / "folder", **authority.certify())
    yield server.address
    assert server.stop() == 0


def test_the_store_is_written_and_read_over_tls(store: str, authority: Authority) -> None:
    at = PachydermStore(StoreSettings(address=store, ca_file=authority.ca_file), "xray")
    at.ensure("raw")
    at.write("raw", {"/data/film": b"film"})
    assert at.read("raw", "/data/film") == b"film"


def test_who_distrusts_the_store_is_told_of_its_certificate(
    store: str, stranger: Authority
) -> None:
    at = PachydermStore(StoreSettings(address=store, ca_file=stranger.ca_file), "xray")
    with pytest.raises(Unavailable, match="CHEXNET_STORE__CA_FILE trusts"):
        at.ensure("raw")


def test_a_store_without_tls_is_told_from_one_that_is_away(
    tmp_path: Path, authority: Authority
) -> None:
    server = Server(tmp_path / "folder")
    at = PachydermStore(StoreSettings(address=server.address, ca_file=authority.ca_file), "xray")
    with pytest.raises(Unavailable, match="one side speaks TLS"):
        at.ensure("raw")
    assert server.stop() == 0


def test_a_plain_client_reaches_no_store(store: str) -> None:
    with pytest.raises(Unavailable, match=f"Waiting for the version store at {store}"):
        PachydermStore(store, "xray").ensure("raw")


def test_a_model_answers_over_tls_and_to_nobody_else(
    tmp_path: Path, authority: Authority, stranger: Authority
) -> None:
    export(tmp_path / "models" / "xray" / "1", seed=1)
    own = authority.certify()
    with model_server(tmp_path / "models", **own) as server:
        trusting = TfServing([server.address], "xray", ca_file=authority.ca_file)
        _wait(trusting)
        assert trusting.predict(1, images(2))["probabilities"].shape == (2, 3)
        rest = f"https://127.0.0.1:{server.rest}/v1/models/xray"
        assert httpx.get(rest, verify=tls.trusted(authority.ca_file)).status_code == 200
        for ca_file in (None, stranger.ca_file):
            with pytest.raises(Unavailable, match=f"Waiting for TF Serving at {server.address}"):
                TfServing([server.address], "xray", 2, ca_file=ca_file).predict(1, images(1))


def _wait(serving: TfServing) -> None:
    due = time.monotonic() + 60
    while time.monotonic() < due:
        try:
            (versions,) = serving.states().values()
        except Unavailable:
            continue
        if versions == {1: "AVAILABLE"}:
            return
    pytest.fail("The version did not load within 60 s.")


def test_the_gateway_answers_over_tls(
    tmp_path: Path, authority: Authority, stranger: Authority
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    token, key = tmp_path / "token", tmp_path / "key"
    token.write_text("secret")
    key.write_bytes(bytes(40))
    key.chmod(0o600)
    url, own = f"https://127.0.0.1:{port}", authority.certify()
    site = {
        "ENV_FILE": tmp_path / "none",
        "STATE": tmp_path,
        "KAFKA__BOOTSTRAP": "127.0.0.1:1",
        "STORE__ADDRESS": "127.0.0.1:1",
        "SERVING__REPLICAS": "127.0.0.1:1",
        "GATEWAY__URL": url,
        "GATEWAY__TOKEN_FILE": token,
        "GATEWAY__IDENTITY_KEY_FILE": key,
        **{f"GATEWAY__{name.upper()}": file for name, file in own.items()},
    }
    environment = {**os.environ, **{f"CHEXNET_{name}": str(value) for name, value in site.items()}}
    command = [sys.executable, "-m", "services.gateway.main"]
    with subprocess.Popen(command, env=environment) as process:
        try:
            client = HttpGateway(
                GatewaySettings(url=url, token_file=token, ca_file=authority.ca_file)
            )
            with pytest.raises(Unavailable, match="Kafka"):  # It is the gateway that says so.
                _once_up(client, process)
            distrusting = GatewaySettings(url=url, token_file=token, ca_file=stranger.ca_file)
            with pytest.raises(Unavailable, match="CHEXNET_GATEWAY__CA_FILE"):
                HttpGateway(distrusting).send(png())
            plain = GatewaySettings(url=url.replace("https", "http"), token_file=token)
            with pytest.raises(Unavailable, match="Waiting for the gateway"):
                HttpGateway(plain).send(png())
        finally:
            process.terminate()


def _once_up(client: HttpGateway, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            client.send(png())
        except Unavailable as error:
            if "ConnectError" not in str(error):
                raise
    pytest.fail("The gateway ended.")


def test_a_key_of_another_certificate_is_found_at_the_start(
    tmp_path: Path, authority: Authority
) -> None:
    mine, other = authority.certify(), Authority(tmp_path).certify()
    with pytest.raises(ConfigError, match="belong together"):
        tls.Own(mine["certificate_file"], other["key_file"])
    with pytest.raises(ConfigError, match="must be set together"):
        tls.Own.of(mine["certificate_file"], None)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_bad_authority_is_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.crt"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=f"CA_FILE must be .*Received: {file}"):
        tls.trusted(file)
