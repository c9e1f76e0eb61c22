"""The app without code, as a test starts it: services/app over a folder of the test's pages."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.browser.page import MINUTE, WorkspacePage
from tests.browser.server import free_port, served

ROOT = Path(__file__).parents[2]
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def notebook(code: str, **metadata: object) -> str:
    """Return a notebook of one cell."""
    cell = {"cell_type": "code", "id": "workspace", "metadata": {}, "source": code}
    made = {
        "cells": [{**cell, "outputs": [], "execution_count": None}],
        "metadata": {"kernelspec": KERNEL, **metadata},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(made)


class AppPage(WorkspacePage):
    """A page of the app: it runs by itself."""

    def run(self, url: str, token: str, notebook: str, appears: str) -> None:
        """Open a page, and wait until what the selector names is there."""
        self.page.goto(f"{url}/voila/render/{notebook}?token={token}", timeout=MINUTE)
        self.page.locator(appears).first.wait_for(timeout=MINUTE)


@contextmanager
def app_site(folder: Path, pages: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the address and the token of an app with these pages, beside secrets of others."""
    token, port = secrets.token_hex(32), free_port()
    for name in ("secrets", "app", "pages"):
        (folder / name).mkdir(parents=True)
    for name, text in {"app.token": token, "gateway.token": "t", "identity.key": "k"}.items():
        (folder / "secrets" / name).write_text(text)
    for name, code in pages.items():
        title = {"title": name.capitalize(), "order": list(pages).index(name)}
        (folder / "pages" / f"{name}.ipynb").write_text(notebook(code, **title))
    site = {
        "ENV_FILE": folder / "none.env",
        "STATE": folder,
        "KAFKA__BOOTSTRAP": "127.0.0.1:1",
        "STORE__ADDRESS": "127.0.0.1:2",
        "SERVING__REPLICAS": "127.0.0.1:3",
        "GATEWAY__URL": "http://127.0.0.1:4",
        "GATEWAY__TOKEN_FILE": folder / "secrets/gateway.token",
        "APP__PORT": port,
        "APP__TOKEN_FILE": folder / "secrets/app.token",
        "APP__FOLDER": folder / "app",
        "APP__PAGES": folder / "pages",
    }
    own = {f"CHEXNET_{name}": str(value) for name, value in site.items()}
    env = {**os.environ, **own, "PYTHONPATH": str(ROOT), "SECRET": "of the operator's shell"}
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "services.app.main"]
    with served(command, f"{url}/healthz", folder / "app.log", env):
        yield url, token
