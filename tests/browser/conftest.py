"""A real Chromium, and a JupyterLab of its own for the tests that need no stack."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.app import AppPage, app_site, notebook
from tests.browser.page import MINUTE, WorkspacePage
from tests.browser.server import free_port, served

ROOT = Path(__file__).parents[2]
NEWS = "@jupyterlab/apputils-extension:announcements"  # Asks the internet, and in a pop-up.
CELL = "from tests.browser.memory_site import {name}\n\n{name}()"
NOTEBOOKS = {
    "memory": "workspace",
    "films": "films",
    "operations": "operations",
    "training": "training",
    "lineage": "lineage",
}


class Lab(NamedTuple):
    """Where a JupyterLab, or the app, is; how to get in; what its pages are like."""

    url: str
    token: str
    page: type[WorkspacePage] = WorkspacePage


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium: Playwright's own would be a download."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no Chromium: install it with: apt-get install chromium")
    expect.set_options(timeout=MINUTE)  # A busy machine is slow, not wrong.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page of 1280 by 800; an error in its scripts fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(MINUTE)
    opened, errors = context.new_page(), []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert errors == []


@pytest.fixture(scope="session")
def memory_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab with a notebook whose workspace runs over the memory adapters."""
    folder = tmp_path_factory.mktemp("lab")
    config = folder / "jupyter/labconfig/page_config.json"
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps({"disabledExtensions": {NEWS: True}}))
    for file, name in NOTEBOOKS.items():
        (folder / f"{file}.ipynb").write_text(notebook(CELL.format(name=name)))
    port = free_port()
    token = secrets.token_hex(16)
    own = {
        name: str(folder / "jupyter")
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    options = [f"--port={port}", "--port-retries=0", f"--ServerApp.root_dir={folder}"]
    options.append("--expose-app-in-browser")  # So that a test can change the theme.
    env = {**os.environ, **own, "PYTHONPATH": str(ROOT), "JUPYTER_TOKEN": token}
    url = f"http://127.0.0.1:{port}"
    with served([*command, *options], f"{url}/api", folder / "lab.log", env):
        yield Lab(url, token)


@pytest.fixture(scope="session")
def memory_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The app without code, with the same pages over the memory adapters."""
    pages = {name: CELL.format(name=called) for name, called in NOTEBOOKS.items()}
    with app_site(tmp_path_factory.mktemp("app") / "state", pages) as (url, token):
        yield Lab(url, token, AppPage)


@pytest.fixture(params=["lab", "app"])
def door(request: pytest.FixtureRequest) -> Lab:
    """Each of the two ways in: JupyterLab, and the app without code."""
    found: Lab = request.getfixturevalue(f"memory_{request.param}")
    return found


@pytest.fixture
def films(page: Page, memory_lab: Lab) -> WorkspacePage:
    """A workspace of X-rays, whose heat maps show where an image is bright."""
    opened = WorkspacePage(page)
    opened.open(memory_lab.url, memory_lab.token, "films.ipynb")
    return opened
