from __future__ import annotations

import json
from pathlib import Path

import pytest

from chexnet.errors import ConfigError
from services.app.main import environment
from services.app.server import App


def test_kernels_get_their_settings_and_places_and_nothing_of_the_shell() -> None:
    given = {
        "PATH": "/bin",
        "AWS_SECRET_ACCESS_KEY": "s",
        "HOME": "/home/operator",
        "CHEXNET_PIPELINE": "xray",
        "CHEXNET_APP__TOKEN_FILE": "/state/secrets/app.token",
        "SUPERVISOR_SERVER_URL": "unix:///state/run/supervisor.sock",
    }
    made = environment(given, Path("/state/app/xray"))
    assert made["PATH"] == "/bin"
    assert made["CHEXNET_PIPELINE"] == "xray"
    assert made["HOME"] == "/state/app/xray/home"
    assert not [value for value in made.values() if value in {"s", "/home/operator"}]
    assert not [name for name in made if "TOKEN" in name or "SUPERVISOR" in name]


@pytest.mark.parametrize("token", ["", "short"])
def test_without_a_token_it_does_not_start(token: str, tmp_path: Path) -> None:
    (tmp_path / "page.ipynb").write_text(json.dumps({"metadata": {}}))
    with pytest.raises(ConfigError, match="token must have 32 characters"):
        App.of(tmp_path, token=token, model="xray", scratch=tmp_path)
