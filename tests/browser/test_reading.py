"""A reading as a person makes it: with keys alone, without accidents, with boxes and a note."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from chexnet.errors import Unavailable
from tests.browser import memory_site
from tests.browser.page import MINUTE, WorkspacePage
from tests.browser.plain import PlainPage
from tests.browser.test_memory import files
from tests.browser.test_uploads import CANCELLED
from tests.browser.test_viewer import planted

pytestmark = pytest.mark.browser


@pytest.fixture
def workspace(page: Page) -> Iterator[PlainPage]:
    made = memory_site.workspace()
    yield PlainPage(page, made)
    made.close()


def test_an_empty_workspace_says_where_to_begin_and_takes_no_focus(workspace: PlainPage) -> None:
    expect(workspace.page.get_by_text("Choose or drop files on the left")).to_be_visible()
    assert workspace.page.evaluate("document.activeElement === document.body")


@pytest.fixture
def film(page: Page) -> Iterator[PlainPage]:
    made = memory_site.films()
    opened = PlainPage(page, made)
    opened.choose([planted()])
    opened.wait("planted.png", "Ready to read")
    canvas = page.get_by_role("img", name="The image", exact=True)
    expect(canvas).to_have_attribute("width", "1000", timeout=MINUTE)
    yield opened
    made.close()


def tab_to(page: Page, wanted: Locator, most: int = 30) -> None:
    """Press Tab until the focus is there."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{most} Tabs did not lead to {wanted}.")


def test_cases_are_read_one_after_the_other_with_the_keyboard_alone(
    workspace: WorkspacePage,
) -> None:
    page = workspace.page
    workspace.choose(files(12))
    expect(page.get_by_text("12 cases, 12 to read")).to_be_visible(timeout=MINUTE)
    page.get_by_role("button", name="Choose files").focus()
    tab_to(page, page.get_by_role("listbox", name="Cases"))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    first = page.get_by_role("radiogroup", name="Fast", exact=True).get_by_role("radio").first
    expect(first).to_be_focused()
    for _ in range(2):
        name = page.locator(".cx-casehead h3").inner_text()
        page.keyboard.press("Space")
        tab_to(page, page.get_by_role("button", name="Mark the rest absent"))
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Record and reveal")).to_be_focused()
        page.keyboard.press("Enter")
        expect(workspace.outputs).to_have_count(3)
        expect(page.get_by_role("button", name="Next on the worklist")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator(".cx-casehead h3")).not_to_have_text(name)
        expect(first).to_be_focused()


def test_what_shows_the_output_for_good_is_asked_twice(workspace: WorkspacePage) -> None:
    page = workspace.page
    workspace.choose(files(1))
    workspace.wait("trace-00000.csv", "Ready to read")
    page.get_by_role("button", name="Show the output without a reading").dblclick()
    expect(page.get_by_text("is an assisted reading, for good")).to_be_visible()
    expect(workspace.outputs).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Show the output without")).to_be_focused()
    workspace.say("Fast", "Present")
    page.get_by_role("button", name="Record and reveal").click()
    expect(page.get_by_text("Only 1 of 3 findings are assessed")).to_be_visible()
    expect(page.get_by_role("button", name="Go on reading")).to_be_focused()
    page.get_by_role("button", name="Record 1 of 3").click()
    expect(workspace.outputs).to_have_count(3)


def test_a_double_click_records_one_reading(workspace: WorkspacePage) -> None:
    page = workspace.page
    workspace.choose(files(1))
    workspace.wait("trace-00000.csv", "Ready to read")
    workspace.say("Fast", "Present")
    page.get_by_role("button", name="Mark the rest absent").click()
    page.get_by_role("button", name="Record and reveal").dblclick()
    expect(workspace.outputs).to_have_count(3)
    expect(page.get_by_text("An assisted one is recorded")).to_have_count(0)
    expect(page.locator(".cx-case .cx-problem:visible")).to_have_count(0)


def test_marks_and_their_undo_outlive_a_look_at_another_case(workspace: WorkspacePage) -> None:
    page = workspace.page
    workspace.choose(files(2))
    expect(page.get_by_text("2 cases, 2 to read")).to_be_visible(timeout=MINUTE)
    read, other = workspace.row("trace-00000.csv"), workspace.row("trace-00001.csv")
    read.click()
    expect(read).to_have_attribute("aria-selected", "true")
    workspace.say("Fast", "Present")
    workspace.say("Irregular", "Unsure")
    page.get_by_label("Note").fill("Seen twice.")
    expect(page.get_by_text("2 of 3 assessed")).to_be_visible()
    other.click()
    expect(page.get_by_text("0 of 3 assessed")).to_be_visible()
    read.click()
    expect(page.get_by_text("2 of 3 assessed")).to_be_visible()
    expect(page.get_by_label("Note")).to_have_value("Seen twice.")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("1 of 3 assessed")).to_be_visible()


def test_two_views_of_one_reading_do_not_share_their_marks(workspace: PlainPage) -> None:
    page = workspace.page
    workspace.choose(files(1))
    workspace.wait("trace-00000.csv", "Ready to read")
    page.evaluate("""() => {
        const second = document.createElement("div");
        second.id = "second";
        document.querySelector(".cx-columns").append(second);
        window.again("case", second);
    }""")
    marks = [
        page.locator(f"#{view}")
        .get_by_role("radiogroup", name="Fast", exact=True)
        .get_by_label(said)
        for view, said in (("case", "Present"), ("second", "Absent"))
    ]
    for mark in marks:
        mark.check()
    for mark in marks:  # With names in common the second would have taken the first back.
        expect(mark).to_be_checked()


def test_an_empty_worklist_says_so(workspace: WorkspacePage) -> None:
    workspace.choose(files(1))
    workspace.wait("trace-00000.csv", "Ready to read")
    workspace.peek()
    expect(workspace.outputs).to_have_count(3)
    workspace.page.get_by_role("button", name="Next on the worklist").click()
    expect(workspace.page.get_by_text("Nothing on the worklist waits for you.")).to_be_visible()
    expect(workspace.page.get_by_role("button", name="Next on the worklist")).to_be_focused()


def test_boxes_are_drawn_moved_and_removed_and_come_back_with_the_reading(
    film: WorkspacePage,
) -> None:
    page, frame = film.page, film.page.locator(".cx-frame").first
    boxes = page.locator(".cx-box")
    page.get_by_label("Finding of the box").select_option("Nodule")
    page.get_by_role("button", name="Draw a box on the film").click()
    stage = page.locator(".cx-stage").first.bounding_box()
    assert stage
    at = [
        (stage["x"] + stage["width"] * x, stage["y"] + stage["height"] * y)
        for x, y in ((0.25, 0.5), (0.5, 0.75))
    ]
    page.mouse.move(*at[0])
    page.mouse.down()
    page.mouse.move(*at[1], steps=4)
    page.mouse.up()
    expect(boxes).to_have_attribute(
        "aria-label", re.compile("Nodule, 25 % from the left, 50 % from the top, 25 by 25 %")
    )
    expect(boxes).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    expect(boxes).to_have_attribute(
        "aria-label", re.compile("26 % from the left, 50 % from the top, 25 by 26 %")
    )
    before = boxes.locator("rect").bounding_box()
    frame.focus()
    for _ in range(3):
        page.keyboard.press("+")
    after = boxes.locator("rect").bounding_box()
    assert before
    assert after
    assert after["width"] / before["width"] == pytest.approx(1.25**3, rel=0.02)
    page.keyboard.press("b")  # Another one, without a mouse.
    expect(boxes).to_have_count(2)
    page.keyboard.press("Delete")
    expect(boxes).to_have_count(1)
    page.get_by_role("button", name="Undo").click()
    expect(boxes).to_have_count(2)
    page.get_by_role("button", name="Undo").click()
    expect(boxes).to_have_count(1)
    page.get_by_label("Note").fill("Round, at the hilum.")
    film.say("Nodule", "Present")
    page.get_by_role("button", name="Mark the rest absent").click()
    film.record()
    expect(film.outputs).to_have_count(14)
    expect(page.get_by_text("Round, at the hilum.")).to_be_visible()
    expect(boxes).to_have_attribute("aria-label", re.compile("Nodule, 26 %"))
    expect(boxes).not_to_have_attribute("tabindex", "0")


def test_research_use_only_is_said_on_the_film_below_the_output_and_in_full_screen(
    film: PlainPage,
) -> None:
    page, notice = film.page, film.page.locator(".cx-notice").first
    film.peek()
    expect(film.outputs).to_have_count(14)
    page.set_viewport_size({"width": 700, "height": 500})  # One column: much is out of sight.
    page.locator(".cx-key").scroll_into_view_if_needed()
    expect(page.locator(".cx-key").get_by_text("Research use only")).to_be_in_viewport()
    page.locator(".cx-frame").first.focus()
    page.keyboard.press("f")
    page.wait_for_function("document.fullscreenElement !== null")
    expect(notice).to_be_in_viewport()
    expect(notice).to_have_text("Research use only")


def test_in_full_screen_the_film_has_the_room_and_words_can_be_read(film: PlainPage) -> None:
    page = film.page
    page.locator(".cx-frame").first.focus()
    page.keyboard.press("f")
    page.wait_for_function("document.fullscreenElement !== null")
    expect(page.get_by_role("button", name="Draw a box")).to_be_visible()
    frames, whole = (page.locator(name).bounding_box() for name in (".cx-frames", ".cx-viewer"))
    assert frames
    assert whole
    assert frames["height"] > 0.7 * whole["height"]
    for name in (".cx-of", ".cx-keys", ".cx-boxed .cx-tool"):
        ink = page.locator(name).first.evaluate("e => getComputedStyle(e).color")
        assert min(map(int, re.findall(r"\d+", ink)[:3])) > 150, (name, ink)  # The ground is black.


def test_a_box_says_that_its_finding_is_there(film: PlainPage) -> None:
    page = film.page
    page.get_by_label("Finding of the box").select_option("Nodule")
    page.get_by_role("button", name="Draw a box").press("Enter")
    expect(page.get_by_text("1 of 14 assessed, 1 box")).to_be_visible()
    group = page.get_by_role("radiogroup", name="Nodule", exact=True)
    expect(group.get_by_role("radio", name="Present")).to_be_checked()
    film.say("Nodule", "Unsure")
    page.get_by_role("button", name="Draw a box").press("Enter")  # What was said stays.
    expect(group.get_by_role("radio", name="Unsure")).to_be_checked()


@pytest.fixture
def one(workspace: PlainPage) -> PlainPage:
    """A workspace with one case that can be read."""
    workspace.choose(files(1))
    workspace.wait("trace-00000.csv", "Ready to read")
    return workspace


def test_a_key_that_is_held_is_one_answer(one: PlainPage) -> None:
    page = one.page
    page.get_by_role("radiogroup", name="Fast", exact=True).get_by_role("radio").first.focus()
    for _ in range(4):
        page.keyboard.down("a")
    page.keyboard.up("a")
    expect(page.get_by_text("1 of 3 assessed")).to_be_visible()


def test_an_assisted_reading_can_be_left_for_the_output_that_it_is_about(one: PlainPage) -> None:
    one.peek()
    expect(one.outputs).to_have_count(3)
    one.page.get_by_role("button", name="Add an assisted reading").click()
    one.say("Fast", "Present")
    expect(one.outputs).to_have_count(0)
    one.page.get_by_role("button", name="Back to the output").click()
    expect(one.outputs).to_have_count(3)
    one.page.get_by_role("button", name="Add an assisted reading").click()
    expect(one.page.get_by_text("1 of 3 assessed")).to_be_visible()  # It was kept.


def test_a_page_with_marks_that_are_not_recorded_asks_before_it_goes(one: PlainPage) -> None:
    leaves = ["beforeunload", False]
    assert not one.page.evaluate(CANCELLED, leaves)
    one.say("Fast", "Present")
    assert one.page.evaluate(CANCELLED, leaves)
    one.page.get_by_role("button", name="Undo").click()
    assert not one.page.evaluate(CANCELLED, leaves)
    one.page.get_by_label("Note").fill("Seen twice.")
    assert one.page.evaluate(CANCELLED, leaves)
    one.say("Fast", "Present")
    one.record()
    expect(one.outputs).to_have_count(3)
    assert not one.page.evaluate(CANCELLED, leaves)


def test_the_first_of_many_files_is_shown_and_the_others_interrupt_nobody(
    workspace: PlainPage,
) -> None:
    begun = []

    def hear(_: object, message: dict[str, object], __: object) -> None:
        if message["type"] == "begin":
            begun.append(message["first"])

    workspace.workspace.uploads.on_msg(hear)
    workspace.choose(files(3))
    expect(workspace.page.get_by_text("3 cases, 3 to read")).to_be_visible(timeout=MINUTE)
    assert begun == [True, False, False]


def test_a_reading_that_could_not_be_recorded_is_told_also_beside_another_case(
    workspace: PlainPage,
) -> None:
    down = threading.Event()

    def fail(*_: object, **__: object) -> None:
        down.wait()
        raise Unavailable("The bus is down.")

    workspace.choose(files(2))
    expect(workspace.page.get_by_text("2 cases, 2 to read")).to_be_visible(timeout=MINUTE)
    workspace.row("trace-00000.csv").click()
    workspace.say("Fast", "Present")
    workspace.workspace.readings.record = fail
    workspace.record()
    workspace.row("trace-00001.csv").click()
    expect(workspace.page.get_by_text("0 of 3 assessed")).to_be_visible()
    down.set()
    told = workspace.page.get_by_text("trace-00000.csv: The bus is down.")
    expect(told).to_be_visible()
    workspace.row("trace-00000.csv").click()
    expect(workspace.page.get_by_text("1 of 3 assessed")).to_be_visible()


def test_a_kernel_that_answers_no_more_is_told_and_nothing_marked_is_lost(one: PlainPage) -> None:
    page = one.page
    one.say("Fast", "Present")
    page.get_by_role("button", name="Mark the rest absent").click()
    page.clock.install()
    page.evaluate("window.tell = () => {}")
    page.get_by_role("button", name="Record and reveal").click()
    expect(page.get_by_role("button", name="Record and reveal")).to_be_disabled()
    page.clock.fast_forward(20_000)
    expect(page.get_by_text("the page may have lost its kernel")).to_be_visible()
    expect(page.get_by_role("button", name="Record and reveal")).to_be_enabled()
    expect(page.get_by_text("3 of 3 assessed")).to_be_visible()


def test_undo_goes_back_to_the_finding_that_it_was_of(one: PlainPage) -> None:
    page = one.page
    radios = page.get_by_role("radiogroup", name="Fast", exact=True).get_by_role("radio")
    radios.first.focus()
    page.keyboard.press("p")
    expect(radios.first).not_to_be_focused()  # It goes on to the next finding.
    page.keyboard.press("Control+z")
    expect(radios.first).to_be_focused()
    expect(page.get_by_text("0 of 3 assessed")).to_be_visible()


def test_a_new_file_is_shown_until_one_is_being_read(one: PlainPage) -> None:
    page, name = one.page, one.page.locator(".cx-casehead h3")
    two, three = files(3)[1:]
    one.choose([two])
    expect(name).to_have_text(two["name"])
    page.get_by_label("Note").fill("Round.")
    one.choose([three])
    one.wait(three["name"], "Ready to read")
    expect(name).to_have_text(two["name"])


def test_an_output_that_was_only_seen_is_not_called_read(one: PlainPage) -> None:
    one.peek()
    expect(one.outputs).to_have_count(3)
    one.wait("trace-00000.csv", "Output seen, not read")
