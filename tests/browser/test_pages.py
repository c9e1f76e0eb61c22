"""The pages beside the workspace in a real browser, over the memory adapters."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessible import cut_off, serious
from tests.browser.conftest import Lab
from tests.browser.page import MINUTE, WorkspacePage

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SHOTS = os.environ.get("CHEXNET_TEST_PICTURES")  # A folder, to look at.


def opened(page: Page, lab: Lab, name: str) -> None:
    WorkspacePage(page).run(lab.url, lab.token, f"{name}.ipynb", ".cx-page")


def picture(page: Page, name: str) -> None:
    if SHOTS:
        page.set_viewport_size({"width": 1280, "height": 2000})
        page.locator(".cx-page").screenshot(path=Path(SHOTS) / f"{name}.png")


def decide(page: Page, text: str, why: str) -> None:
    """Open a decision, say why, and decide."""
    page.get_by_text(f"{text} …").click()
    page.get_by_label(f"{text}: why").fill(why)
    page.get_by_role("button", name=text, exact=True).click()


@pytest.mark.parametrize("name", ["operations", "training", "lineage"])
def test_a_page_is_accessible_and_fits_small_and_large_screens(
    page: Page, memory_app: Lab, name: str
) -> None:
    memory_app.page(page).run(memory_app.url, memory_app.token, f"{name}.ipynb", ".cx-page")
    expect(page.locator(".cx-page h2, .cx-page h3").first).to_be_visible(timeout=MINUTE)
    if name == "lineage":
        page.get_by_role("button", name="version 2").click(timeout=MINUTE)
    expect(page.locator(".cx-page svg, .cx-page table, .cx-page img").first).to_be_visible(
        timeout=MINUTE
    )
    for width, height in ((1280, 800), (3840, 2160)):
        page.set_viewport_size({"width": width, "height": height})
        assert cut_off(page, ".cx-page") == []
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{name}-{width}.png")
    lacking, having = serious(page, ".cx-page")
    assert lacking == []
    assert having > 50  # The rules did look.


def test_evidence_is_read_and_a_version_is_promoted_and_rolled_back(
    page: Page, memory_lab: Lab
) -> None:
    opened(page, memory_lab, "operations")
    decides = page.get_by_role("img", name="Macro AUROC, b - champion")
    expect(decides).to_be_visible(timeout=MINUTE)
    expect(page.get_by_text("Nothing is missing")).to_be_visible()
    page.get_by_text("not valid under peeking").first.click()
    expect(page.get_by_role("img", name="Effusion: ")).to_be_visible()
    expect(page.get_by_text("not a medical device")).to_be_visible()
    picture(page, "operations")
    page.get_by_role("button", name="Send uploads.dlq back").click()
    expect(page.get_by_text("Sent 2 of uploads.dlq")).to_be_visible(timeout=MINUTE)
    decide(page, "Promote b, version 2", "It parts them better.")
    expect(page.get_by_text("Version 2 is the champion from")).to_be_visible(timeout=MINUTE)
    expect(page.get_by_role("table", name="Audit")).to_contain_text("It parts them better.")
    decide(page, "Roll back to version 1", "Scores dropped.")
    expect(page.get_by_text("Version 1 is the champion again")).to_be_visible(timeout=MINUTE)


def test_what_is_typed_stays_while_the_page_looks_again(page: Page, memory_lab: Lab) -> None:
    opened(page, memory_lab, "operations")
    page.get_by_text("Stop the experiment …").click(timeout=MINUTE)
    why = page.get_by_label("Stop the experiment: why")
    why.fill("Enough was")
    page.get_by_role("button", name="Send uploads.dlq back").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Sent 2 of uploads.dlq")).to_be_visible(timeout=MINUTE)
    expect(why).to_have_value("Enough was")
    page.get_by_role("button", name="Stop the experiment", exact=True).click()
    expect(page.get_by_text("The experiment has stopped")).to_be_visible(timeout=MINUTE)


def test_runs_compare_as_curves_and_what_trains_shows_how_far(page: Page, memory_lab: Lab) -> None:
    opened(page, memory_lab, "training")
    curves = page.get_by_role("img", name="Validation AUROC")
    expect(curves).to_be_visible(timeout=MINUTE)
    assert "line b ends at 0.900" in str(curves.get_attribute("aria-label"))
    expect(page.get_by_role("img", name="Pipelines.")).to_be_visible()
    expect(page.get_by_role("table", name="Runs")).to_contain_text("demo_b")
    expect(page.get_by_role("progressbar", name="epoch 2/4")).to_have_attribute("value", "0.375")
    picture(page, "training")


def test_a_lineage_is_chosen_and_drawn(page: Page, memory_lab: Lab) -> None:
    opened(page, memory_lab, "lineage")
    page.get_by_role("button", name="version 2").click(timeout=MINUTE)
    expect(page.get_by_role("img", name="Lineage of 2")).to_be_visible(timeout=MINUTE)
    expect(page.get_by_text("came from").first).to_be_visible()
    picture(page, "lineage")
    page.get_by_role("textbox", name="Lineage of").fill("nothing-of-the-kind")
    page.keyboard.press("Enter")
    expect(page.get_by_text("A lineage starts at")).to_be_visible(timeout=MINUTE)
