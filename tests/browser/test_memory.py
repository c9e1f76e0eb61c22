"""The second pipeline's workspace in a real browser, over the memory adapters."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Lab
from tests.browser.page import MINUTE, File, WorkspacePage
from tests.waveform import signals

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def workspace(page: Page, door: Lab) -> WorkspacePage:
    opened = door.page(page)
    opened.open(door.url, door.token, "memory.ipynb")
    return opened


def files(count: int, start: int = 0) -> list[File]:
    return [
        {"name": s.name, "mimeType": "text/csv", "buffer": s.data}
        for s in signals.draw(count, start=start)
    ]


def test_a_trace_is_uploaded_read_blinded_and_then_revealed(workspace: WorkspacePage) -> None:
    workspace.choose(files(1))
    workspace.wait("trace-00000.csv", "Ready to read")
    expect(workspace.page.get_by_text("not a medical device")).to_be_visible()
    expect(workspace.outputs).to_have_count(0)
    workspace.say("Fast", "Present")
    workspace.page.get_by_role("button", name="Mark the rest absent").click()
    workspace.page.get_by_role("button", name="Record and reveal").click()
    expect(workspace.outputs).to_have_count(3)
    irregular = workspace.page.get_by_label(re.compile("^Irregular: 70 %, above its threshold"))
    expect(irregular).to_have_attribute("aria-label", re.compile("you read absent"))
    expect(workspace.page.get_by_label("Opacity of the heat map")).to_be_hidden()
    workspace.wait("trace-00000.csv", "Read")


def test_it_can_be_read_with_the_keyboard_alone(workspace: WorkspacePage) -> None:
    workspace.choose(files(2))
    workspace.wait("trace-00000.csv", "Ready to read")
    cells = workspace.page.locator(".jp-Cell")
    before = cells.count()
    workspace.page.get_by_role("radio").first.focus()
    for key in "pau":  # One key a finding; the last goes on to the button.
        workspace.page.keyboard.press(key)
    workspace.page.keyboard.press("Enter")
    expect(workspace.outputs).to_have_count(3)
    assert cells.count() == before  # JupyterLab's `a` would have inserted one.
    workspace.page.get_by_role("listbox", name="Cases").focus()
    chosen = workspace.rows.and_(workspace.page.locator("[aria-selected=true]"))
    first = chosen.inner_text()
    workspace.page.keyboard.press("ArrowUp")
    expect(chosen).not_to_contain_text(first.splitlines()[0])


def test_a_mark_can_be_undone_and_the_worklist_goes_on(workspace: WorkspacePage) -> None:
    workspace.choose(files(12))
    page = workspace.page
    expect(page.get_by_text("12 cases, 12 to read")).to_be_visible(timeout=MINUTE)
    fast = page.get_by_role("radiogroup", name="Fast", exact=True).get_by_role("radio")
    workspace.say("Fast", "Present")
    page.get_by_role("button", name="Mark the rest absent").click()
    page.keyboard.press("Control+z")
    expect(page.get_by_text("1 of 3 assessed")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(fast.first).not_to_be_checked()
    page.get_by_label("Worklist only").check()
    expect(page.get_by_text("12 cases, 12 to read")).to_be_hidden()  # Some were not drawn.
    named = page.get_by_role("listbox", name="Cases").get_attribute("aria-activedescendant")
    assert named is None or page.locator(f"#{named}").is_visible()
    before = workspace.rows.last.locator(".cx-name").inner_text()
    workspace.rows.last.click()
    expect(page.locator(".cx-casehead h3")).to_have_text(before)
    workspace.say("Fast", "Absent")
    workspace.record()
    expect(workspace.outputs).to_have_count(3)
    page.get_by_role("button", name="Next on the worklist").click()
    expect(page.locator(".cx-casehead h3")).not_to_have_text(before)
    expect(workspace.outputs).to_have_count(0)


def test_files_can_be_dropped_and_a_bad_one_says_why(workspace: WorkspacePage) -> None:
    bad: File = {"name": "note.txt", "mimeType": "text/plain", "buffer": b"hello"}
    workspace.drop([*files(2), bad])
    workspace.wait("note.txt", "one number a line")
    workspace.wait("trace-00000.csv", "Ready to read")
    workspace.wait("trace-00001.csv", "Ready to read")


def test_a_file_beyond_any_websocket_message_arrives_in_pieces(workspace: WorkspacePage) -> None:
    long = b"0.5\n" * (8 * 2**20)  # 32 MiB: three times tornado's limit of a message.
    workspace.choose([{"name": "long.csv", "mimeType": "text/csv", "buffer": long}])
    workspace.wait("long.csv", "Ready to read", timeout=3 * MINUTE)
