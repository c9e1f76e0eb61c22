"""A page whose kernel has gone: what it shows is of before, and it says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser import memory_site
from tests.browser.page import MINUTE
from tests.browser.plain import PlainPage
from tests.browser.test_memory import files

pytestmark = pytest.mark.browser


@pytest.fixture
def two(page: Page) -> Iterator[PlainPage]:
    """A workspace with two cases that can be read."""
    page.clock.install()
    made = memory_site.workspace()
    opened = PlainPage(page, made)
    opened.choose(files(2))
    expect(page.get_by_text("2 cases, 2 to read")).to_be_visible(timeout=MINUTE)
    yield opened
    made.close()


def test_who_does_not_answer_is_not_connected_until_it_does(two: PlainPage) -> None:
    page, live = two.page, two.page.locator(".cx-live")
    expect(page.get_by_text("not a medical device")).to_be_visible()
    page.clock.run_for(30_000)  # As long as it answers, nothing is said.
    expect(live).to_have_text("Connected")
    two.gone = True
    page.clock.run_for(30_000)
    expect(live).to_contain_text("reload the page")
    expect(page.locator(".cx-columns")).to_have_css("opacity", "0.35")
    two.gone = False
    page.clock.run_for(10_000)
    expect(live).to_have_text("Connected")
    expect(page.locator(".cx-columns")).to_have_css("opacity", "1")


def test_the_case_before_is_not_taken_for_the_one_that_was_chosen(two: PlainPage) -> None:
    case = two.page.locator(".cx-case")
    two.gone = True
    two.row("trace-00000.csv").click()
    two.row("trace-00001.csv").click()
    two.page.clock.run_for(1_000)
    expect(case).to_have_css("opacity", "0.35")
    two.gone = False
    two.row("trace-00000.csv").click()
    two.row("trace-00001.csv").click()
    expect(case).to_have_css("opacity", "1")
