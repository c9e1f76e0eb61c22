"""The workspace on the real stack: JupyterLab, gateway, Kafka, serving, and a real Chromium."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from chexnet import topics
from chexnet.adapters.kafka import KafkaBus
from chexnet.data import phantoms
from chexnet.messages import Feedback, decode, new_id
from chexnet.settings import Settings
from tests.browser.page import MINUTE, File, WorkspacePage

pytestmark = [pytest.mark.browser, pytest.mark.real]
PICTURE = Path(__file__).parents[2] / "docs/images/workspace.png"
# Set to take the README's picture anew: a test that always did would change the tree.
TAKE = os.environ.get("CHEXNET_TEST_PICTURES")


@pytest.fixture
def workspace(page: Page, champion: Settings) -> WorkspacePage:
    opened = WorkspacePage(page)
    token = (champion.state / "secrets/jupyter.token").read_text().strip()
    opened.open(str(champion.jupyter_url), token, "workspace.ipynb")
    return opened


@pytest.fixture
def bus(champion: Settings) -> Iterator[KafkaBus]:
    opened = KafkaBus(champion)
    yield opened
    opened.close()


def films(count: int) -> list[File]:
    """Phantoms that nobody has uploaded before: a reading is blinded only once."""
    seed = int(new_id().replace("-", "")[-6:], 16)
    chosen = [p for p in phantoms.plan(8 * count, seed) if p.findings][:count]
    return [
        {
            "name": f"film-{number + 1}.png",
            "mimeType": "image/png",
            "buffer": phantoms.png(phantoms.render(phantom, contrast=2.0, size=1024)),
        }
        for number, phantom in enumerate(chosen)
    ]


def test_a_film_is_uploaded_read_blinded_and_then_revealed(
    workspace: WorkspacePage, bus: KafkaBus
) -> None:
    page = workspace.page
    workspace.choose(films(3))
    for number in (1, 2, 3):
        workspace.wait(f"film-{number}.png", "Ready to read")
    workspace.row("film-1.png").click()
    expect(workspace.outputs).to_have_count(0)
    feedback = bus.read([topics.FEEDBACK], start="end")
    workspace.say("Effusion", "Present")
    workspace.say("Nodule", "Unsure")
    page.get_by_role("button", name="Mark the rest absent").click()
    page.get_by_role("button", name="Record and reveal").click()
    expect(workspace.outputs).to_have_count(14, timeout=MINUTE)
    (record,) = feedback.poll(timeout=60)
    reading = decode(record, Feedback)
    assert (reading.protocol, reading.shown) == ("blinded", None)
    assert (reading.findings["Effusion"], reading.findings["Nodule"]) == ("present", "unsure")
    assert b"film-1" not in record.value  # File names stay with the reader.

    expect(page.get_by_text("not a medical device")).to_be_visible()
    expect(page.get_by_text(re.compile(r"Version \d+ \(champion\)"))).to_be_visible()
    film = page.get_by_role("img", name="The image", exact=True)
    expect(film).to_have_attribute("width", "1024", timeout=MINUTE)  # From the gateway, not 224.
    likeliest = page.locator(".cx-output[aria-pressed=true] .cx-label").inner_text()
    finding = page.locator(".cx-output[aria-pressed=false] .cx-label").first.inner_text()
    page.locator(".cx-output", has_text=finding).click()
    heat = page.get_by_role("img", name=f"Heat map of {finding}")
    expect(heat).to_be_visible()
    page.get_by_label("Opacity of the heat map").fill("0")
    expect(heat).to_have_css("opacity", "0")
    page.get_by_label("Opacity of the heat map").fill("60")
    expect(heat).to_have_css("opacity", "0.6")
    if TAKE:
        take(page, likeliest)


def test_a_file_that_is_no_image_is_refused_in_words(workspace: WorkspacePage) -> None:
    text: File = {"name": "report.png", "mimeType": "image/png", "buffer": b"This is a report."}
    workspace.choose([text])
    workspace.wait("report.png", "PNG")
    expect(workspace.row("report.png")).to_have_attribute("data-state", "refused")


def take(page: Page, likeliest: str) -> None:
    """Take the README's picture: the workspace alone, at 1280 pixels."""
    page.set_viewport_size({"width": 1280, "height": 1000})
    page.locator(".cx-output", has_text=likeliest).click()
    page.get_by_label("Opacity of the heat map").fill("80")
    page.mouse.move(0, 0)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    page.locator(".cx-workspace").screenshot(path=PICTURE, animations="disabled")
