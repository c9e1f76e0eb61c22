from __future__ import annotations

import json
import webbrowser
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from chexnet.cli.open import app
from chexnet.errors import ConfigError

TOKEN = "t0ken/with+signs"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "secrets").mkdir(mode=0o700)
    (tmp_path / "secrets/jupyter.token").write_text(f"{TOKEN}\n")
    (tmp_path / "secrets/app.token").write_text("an0ther\n")
    site = {
        "ENV_FILE": tmp_path / "none.env",
        "STATE": tmp_path,
        "KAFKA__BOOTSTRAP": "127.0.0.1:1",
        "STORE__ADDRESS": "127.0.0.1:2",
        "SERVING__REPLICAS": "127.0.0.1:3",
        "GATEWAY__URL": "http://127.0.0.1:4",
        "GATEWAY__TOKEN_FILE": tmp_path / "secrets/gateway.token",
        "JUPYTER_URL": "http://127.0.0.1:8888",
        "APP_URL": "https://127.0.0.1:8115",
        "TENSORBOARD_URL": "http://127.0.0.1:6006",
    }
    for name, value in site.items():
        monkeypatch.setenv(f"CHEXNET_{name}", str(value))
    return tmp_path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    urls: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: urls.append(url) or True)
    return urls


def test_the_token_is_neither_printed_nor_in_the_browsers_arguments(state, opened) -> None:
    result = CliRunner().invoke(app, ["workspace"])
    assert result.exit_code == 0
    assert "t0ken" not in result.output + opened[0]
    page = state / "secrets/open.html"
    assert opened == [page.as_uri()]
    assert "/doc/tree/workspace.ipynb?token=t0ken%2Fwith%2Bsigns" in page.read_text()
    assert page.stat().st_mode & 0o777 == 0o600


def test_the_address_is_printed_when_asked_for(state, opened) -> None:
    result = CliRunner().invoke(app, ["jupyter", "--print-url"])
    assert result.output.strip() == "http://127.0.0.1:8888/lab?token=t0ken%2Fwith%2Bsigns"
    assert opened == []


def test_the_app_without_code_has_an_address_and_a_token_of_its_own(state, opened) -> None:
    result = CliRunner().invoke(app, ["app", "--print-url"])
    assert result.output.strip() == "https://127.0.0.1:8115/?token=an0ther"


def test_tensorboard_needs_no_token_and_opens_at_what_compares_lines(state, opened) -> None:
    result = CliRunner().invoke(app, ["tensorboard", "--print-url"])
    address = urlsplit(result.output.strip())
    assert (address.netloc, address.path, address.fragment) == ("127.0.0.1:6006", "/", "timeseries")
    assert "token" not in address.query
    (pinned,) = parse_qs(address.query)["pinnedCards"]
    assert [card["tag"] for card in json.loads(pinned)] == ["auroc/mean", "loss/validation"]


def test_without_a_page_the_variable_is_named(state, opened, monkeypatch) -> None:
    monkeypatch.delenv("CHEXNET_JUPYTER_URL")
    result = CliRunner().invoke(app, ["workspace"])
    assert isinstance(result.exception, ConfigError)
    assert "CHEXNET_JUPYTER_URL must be set" in str(result.exception)


def test_without_a_browser_it_says_what_to_do(state, monkeypatch) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda url: False)
    result = CliRunner().invoke(app, ["tour"])
    todo = "Print the address with its token, and open it where there is one: chexnet open tour"
    assert str(result.exception).endswith(f"Received: none. {todo} --print-url")
