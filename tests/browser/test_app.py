"""The app without code in a real browser: who gets in, what it keeps to itself, who reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from services.app.confined import version
from tests.browser.app import AppPage, app_site
from tests.browser.conftest import Lab
from tests.browser.page import MINUTE

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SHARED = "from tests.browser.memory_site import shared\n\nshared()"
SECRETS = """
from pathlib import Path
import os

site = Path(os.environ["CHEXNET_STATE"]) / "secrets"
for name in ("identity.key", "app.token", "gateway.token"):
    try:
        print(name, (site / name).read_text())
    except PermissionError:
        print(name, "refused")
print("SECRET" in os.environ, "CHEXNET_APP__TOKEN_FILE" in os.environ)
"""
EXECUTE = """
([url, kernel]) => new Promise((resolve) => {
    const socket = new WebSocket(`${url}/api/kernels/${kernel}/channels`);
    const heard = [];
    const ask = (id, type, content) => socket.send(JSON.stringify({
        header: {msg_id: id, msg_type: type, session: "s", username: "", version: "5.3", date: ""},
        parent_header: {}, metadata: {}, channel: "shell", content,
    }));
    socket.onmessage = (event) => {
        const message = JSON.parse(event.data);
        const [of, type] = [message.parent_header.msg_id, message.header.msg_type];
        heard.push([of, type]);
        if (of === "last" && type === "kernel_info_reply") resolve(heard);
    };
    socket.onopen = () => {
        ask("code", "execute_request", {code: "print('ran')", silent: false});
        ask("last", "kernel_info_request", {});
    };
})
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An app whose first page asks who reads."""
    folder = tmp_path_factory.mktemp("own") / "state"
    with app_site(folder, {"shared": SHARED, "secrets": SECRETS}) as (url, token):
        yield Lab(url, token, AppPage)
    log = (folder / "app.log").read_text()
    assert token not in log


def test_without_the_token_nobody_gets_further_than_the_login(page: Page, app: Lab) -> None:
    page.goto(f"{app.url}/voila/render/secrets.ipynb")
    expect(page.get_by_label("Token")).to_be_visible(timeout=MINUTE)
    page.get_by_label("Token").fill("another")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("That token is not this app's.", timeout=MINUTE)
    page.get_by_label("Token").fill(app.token)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("link", name="Secrets")).to_have_attribute(
        "aria-current", "page", timeout=MINUTE
    )


@pytest.mark.skipif(version() == 0, reason="this kernel has no Landlock")
def test_a_pages_code_reads_no_secret_of_the_site(page: Page, app: Lab) -> None:
    page.goto(f"{app.url}/voila/render/secrets.ipynb?token={app.token}", timeout=MINUTE)
    told = page.locator("main")
    expect(told).to_contain_text("identity.key refused", timeout=MINUTE)
    expect(told).to_contain_text("app.token refused")
    expect(told).to_contain_text("gateway.token t")  # Its own, by which it uploads.
    expect(told).to_contain_text("False False")
    assert app.token not in page.url  # Where others would see it.


def test_no_code_comes_from_a_browser(page: Page, app: Lab) -> None:
    page.goto(f"{app.url}/voila/render/secrets.ipynb?token={app.token}", timeout=MINUTE)
    config = page.locator("#jupyter-config-data")
    config.wait_for(state="attached", timeout=MINUTE)
    kernel = json.loads(str(config.text_content()))["kernelId"]
    heard = page.evaluate(EXECUTE, [app.url.replace("http", "ws"), kernel])
    assert [kind for parent, kind in heard if parent == "code"] == []
    assert ["last", "kernel_info_reply"] in heard


def test_the_reader_is_asked_once_and_nothing_is_asked_of_another_host(
    page: Page, app: Lab
) -> None:
    abroad: list[str] = []

    def watch(route: Route) -> None:
        if urlsplit(route.request.url).netloc != urlsplit(app.url).netloc:
            abroad.append(route.request.url)
        route.continue_()

    page.route("**/*", watch)
    page.goto(f"{app.url}/?token={app.token}", timeout=MINUTE)
    page.get_by_label("Your name").fill("Ada")
    page.get_by_role("button", name="Begin").click()
    expect(page.locator(".cx-drop")).to_be_visible(timeout=MINUTE)
    expect(page.get_by_text("Ada (unverified)")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Ada (unverified)")).to_be_visible(timeout=MINUTE)
    page.get_by_role("button", name="Somebody else").click()
    expect(page.get_by_label("Your name")).to_be_visible(timeout=MINUTE)
    assert [url for url in abroad if not url.startswith(("blob:", "data:"))] == []


def test_both_doors_and_when_there_is_something_to_use(
    page: Page, door: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = door.page(page)
    opened.open(door.url, door.token, "memory.ipynb")  # Its files are in the browser's cache now.
    page.goto("about:blank")
    opened.open(door.url, door.token, "memory.ipynb")
    taken = page.evaluate("performance.now()")
    with capsys.disabled():
        print(f"\n{door.page.__name__}: {taken / 1000:.1f} s until the workspace is there", end="")
    expect(page.get_by_role("button", name="Choose files")).to_be_visible()
