"""A wrong or missing setting stops a process, by the name that its owner typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from chexnet.errors import ConfigError
from chexnet.inputs import base as inputs
from chexnet.models import base as models
from chexnet.settings import Settings

SITE = {
    "CHEXNET_STATE": "/tmp/state",
    "CHEXNET_KAFKA__BOOTSTRAP": "127.0.0.1:9092",
    "CHEXNET_STORE__ADDRESS": "127.0.0.1:1650",
    "CHEXNET_SERVING__REPLICAS": "127.0.0.1:8500, 127.0.0.1:8510",
    "CHEXNET_GATEWAY__URL": "http://127.0.0.1:8080",
    "CHEXNET_GATEWAY__TOKEN_FILE": "/tmp/token",
}


@pytest.fixture(autouse=True)
def no_site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHEXNET_ENV_FILE", str(tmp_path / "none.env"))


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in SITE.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.usefixtures("site")
def test_the_environment_is_enough() -> None:
    settings = Settings()
    assert settings.kafka.bootstrap == "127.0.0.1:9092"
    assert settings.serving.addresses == ["127.0.0.1:8500", "127.0.0.1:8510"]
    assert settings.model == settings.pipeline == "xray"


def test_the_site_writes_a_file_that_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "chexnet.env"
    file.write_text("\n".join(f"{k}={v}" for k, v in SITE.items()))
    monkeypatch.setenv("CHEXNET_ENV_FILE", str(file))
    assert Settings().store.address == "127.0.0.1:1650"


@pytest.mark.parametrize("missing", SITE)
def test_a_missing_setting_is_named(missing: str, site: pytest.MonkeyPatch) -> None:
    site.delenv(missing)
    parent = missing.rsplit("__", 1)[0]
    with pytest.raises(ConfigError, match=rf"{parent}.* must be set.*make up"):
        Settings()


def test_a_wrong_setting_is_named_with_what_was_received(site: pytest.MonkeyPatch) -> None:
    site.setenv("CHEXNET_HEALTH__PORT", "http")
    with pytest.raises(ConfigError, match=r"CHEXNET_HEALTH__PORT.*'http'"):
        Settings()


def test_an_unknown_input_names_the_installed_ones() -> None:
    with pytest.raises(ConfigError, match=r"chest_xray.*Received: 'knee'"):
        inputs.load("knee")


def test_an_unknown_network_names_the_installed_ones() -> None:
    with pytest.raises(ConfigError, match=r"densenet121.*Received: 'perceptron'"):
        models.load("perceptron")


SECURE = {"SECURITY": "sasl_ssl", "USER": "reader", "PASSWORD_FILE": "/p", "CA_FILE": "/ca"}


def test_the_principal_is_the_user_that_the_broker_asks_for(site: pytest.MonkeyPatch) -> None:
    assert Settings().kafka.principal is None
    for name, value in SECURE.items():
        site.setenv(f"CHEXNET_KAFKA__{name}", value)
    assert Settings().kafka.principal == "reader"


@pytest.mark.parametrize("missing", ["USER", "PASSWORD_FILE", "CA_FILE"])
def test_half_of_a_secure_connection_is_refused(missing: str, site: pytest.MonkeyPatch) -> None:
    for name in SECURE.keys() - {missing}:
        site.setenv(f"CHEXNET_KAFKA__{name}", SECURE[name])
    with pytest.raises(ConfigError, match=f"CHEXNET_KAFKA .*sasl_ssl also needs {missing.lower()}"):
        Settings()


def test_a_user_that_plaintext_would_not_send_is_refused(site: pytest.MonkeyPatch) -> None:
    site.setenv("CHEXNET_KAFKA__USER", "reader")
    with pytest.raises(ConfigError, match="plaintext would not use user"):
        Settings()


def test_the_gateway_takes_its_token_and_its_guests_and_never_none(
    site: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, token in {"own": "a\n", "guest": "b\n", "empty": "\n"}.items():
        (tmp_path / name).write_text(token)
    site.setenv("CHEXNET_GATEWAY__TOKEN_FILE", str(tmp_path / "own"))
    assert Settings().gateway.tokens == ["a"]
    site.setenv("CHEXNET_GATEWAY__GUEST_TOKEN_FILES", str(tmp_path / "guest"))
    assert Settings().gateway.tokens == ["a", "b"]
    site.setenv("CHEXNET_GATEWAY__GUEST_TOKEN_FILES", str(tmp_path / "empty"))
    with pytest.raises(ConfigError, match="must each have one"):
        assert Settings().gateway.tokens
