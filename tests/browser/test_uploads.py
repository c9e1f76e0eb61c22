"""Uploads as people do them: many, by folder, by drop, beside the box, with files that break."""

from __future__ import annotations

import io
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.bad_inputs import zipped
from tests.browser.conftest import Lab
from tests.browser.page import MINUTE, File, WorkspacePage
from tests.waveform import signals

pytestmark = [pytest.mark.browser, pytest.mark.slow]
MANY = 100
# Keeps the tasks that were longer than 50 ms, and the time between frames.
WATCH = """() => {
    window.seen = {tasks: [], frames: [], since: performance.now()};
    const tasks = (list) => list.getEntries().forEach((one) => seen.tasks.push(one.duration));
    new PerformanceObserver(tasks).observe({entryTypes: ["longtask"]});
    let last = performance.now();
    const frame = (now) => {
        seen.frames.push(now - last);
        last = now;
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
}"""
# A drop whose entries are made here: a page can make no real ones.
DROP = """entries => {
    const file = (name) => new File(["1\\n2\\n3\\n"], name);
    const broken = {name: "gone.csv", size: 9, slice: () => ({
        arrayBuffer: () => Promise.reject(new DOMException("", "NotReadableError"))})};
    const endless = {name: "endless.csv", size: 9, slice: () => ({
        arrayBuffer: () => new Promise(() => {})})};
    const fail = (_, failed) => failed(new DOMException("", "NotFoundError"));
    const ways = {lost: fail, gone: (done) => done(broken), endless: (done) => done(endless)};
    const entry = (name) => ({name, isFile: true, fullPath: "/" + name,
        file: ways[name.split(".")[0]] ?? ((done) => done(file(name)))});
    const items = entries.map((name) => ({webkitGetAsEntry: () => entry(name)}));
    const event = new Event("drop", {bubbles: true, cancelable: true});
    Object.defineProperty(event, "dataTransfer", {value: {types: ["Files"], items, files: []}});
    document.querySelector(".cx-uploads").dispatchEvent(event);
}"""
CANCELLED = """([type, files]) => {
    const event = new Event(type, {bubbles: true, cancelable: true});
    if (files) Object.defineProperty(event, "dataTransfer", {value: {types: ["Files"]}});
    (files ? document.body : window).dispatchEvent(event);
    return event.defaultPrevented;
}"""


@pytest.fixture
def workspace(page: Page, memory_lab: Lab) -> WorkspacePage:
    opened = WorkspacePage(page)
    opened.open(memory_lab.url, memory_lab.token, "memory.ipynb")
    return opened


def files(count: int) -> list[File]:
    return [{"name": s.name, "mimeType": "text/csv", "buffer": s.data} for s in signals.draw(count)]


def film(name: str, seed: int) -> File:
    kind = "JPEG" if name.endswith(".jpg") else "PNG"
    grey = np.random.default_rng(seed).integers(0, 256, (64, 64), np.uint8)
    file = io.BytesIO()
    Image.fromarray(grey).save(file, kind)
    return {"name": name, "mimeType": f"image/{kind.lower()}", "buffer": file.getvalue()}


def keep_asked(asked: list[bytes], frame: str | bytes) -> None:
    """Keep the case whose thumbnail the kernel is asked for."""
    told = frame.encode() if isinstance(frame, str) else frame
    asked += re.findall(rb'"type":"thumbnail","id":"([^"]+)"', told)


@pytest.mark.timeout(600)  # A busy machine needs minutes; what is asserted are ratios.
def test_the_page_answers_while_many_files_come(page: Page, memory_lab: Lab) -> None:
    asked: list[bytes] = []
    page.on("websocket", lambda socket: socket.on("framesent", partial(keep_asked, asked)))
    workspace = WorkspacePage(page)
    workspace.open(memory_lab.url, memory_lab.token, "memory.ipynb")
    page.evaluate(WATCH)
    workspace.choose(files(MANY))
    expect(page.get_by_text(re.compile(f"Sending \\d+ of {MANY}"))).to_be_visible(timeout=MINUTE)
    only = page.get_by_label("Worklist only")
    only.check()
    expect(page.get_by_text(re.compile(f"Sending \\d+ of {MANY}"))).to_be_visible()  # Still.
    only.uncheck()
    expect(page.get_by_text(f"{MANY} cases, {MANY} to read")).to_be_visible(timeout=12 * MINUTE)
    seen: dict[str, Any] = page.evaluate("() => ({...seen, until: performance.now()})")
    expect(workspace.rows).to_have_count(MANY)
    longest, whole = max([0, *seen["tasks"]]), seen["until"] - seen["since"]
    frame = float(np.median(seen["frames"]))
    print(
        f"{MANY} files in {whole / 1000:.1f} s: {len(seen['tasks'])} tasks above 50 ms, "
        f"the longest {longest:.0f} ms; {len(seen['frames'])} frames, the median {frame:.0f} ms"
    )
    assert longest < whole / 4  # A page that froze would do all in one.
    page.get_by_role("listbox", name="Cases").press("End")
    expect(workspace.rows.last).to_have_attribute("aria-selected", "true")
    expect(workspace.rows.last.locator(".cx-thumb")).to_have_attribute("src", re.compile("^blob:"))
    before = len(asked)
    # Each once, when it came into view. Not as many as files: where the bus is faster than the
    # gateway's answer, a case is listed before it is known whose file it is.
    assert 0 < before == len(set(asked))
    only.check()
    only.uncheck()
    page.get_by_role("listbox", name="Cases").press("Home")
    expect(workspace.rows.first.locator(".cx-thumb")).to_have_attribute("src", re.compile("^blob:"))
    assert len(asked) == before


def test_a_folder_is_chosen_by_keyboard_and_its_hidden_files_are_one_line(
    workspace: WorkspacePage, tmp_path: Path
) -> None:
    inside = tmp_path / "films" / "sub"
    inside.mkdir(parents=True)
    for place, signal in zip((inside.parent, inside), signals.draw(2), strict=True):
        (place / signal.name).write_bytes(signal.data)
    for hidden in (".DS_Store", "sub/Thumbs.db", "sub/.git/config"):
        path = tmp_path / "films" / hidden
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    workspace.choose_folder(tmp_path / "films")
    for number in range(2):
        workspace.wait(f"trace-0000{number}.csv", "Ready to read")
    expect(workspace.page.get_by_text("Skipped 3 hidden files.")).to_be_visible()
    expect(workspace.rows).to_have_count(2)


def test_a_drop_beside_the_box_is_taken_and_one_beside_the_workspace_keeps_the_page(
    workspace: WorkspacePage,
) -> None:
    workspace.drop(files(1), onto=".cx-banner")
    workspace.wait("trace-00000.csv", "Ready to read")
    for kind in ("dragover", "drop"):
        assert workspace.page.evaluate(CANCELLED, [kind, True])
    workspace.drop(files(1))
    expect(workspace.rows.first).to_contain_text("seen before", timeout=MINUTE)


def test_files_that_break_say_so_and_hold_up_nothing(workspace: WorkspacePage) -> None:
    page = workspace.page
    assert not page.evaluate(CANCELLED, ["beforeunload", False])
    page.evaluate(DROP, ["gone.1", "gone.2", "gone.3", "lost.csv", ".DS_Store", "well.csv"])
    expect(workspace.rows.filter(has_text="no longer read (NotReadableError)")).to_have_count(3)
    workspace.wait("well.csv", "trace")  # Of the input: too short, or ready.
    told = "Skipped 1 hidden file. 1 entry could not be read: add again what is missing."
    expect(page.get_by_text(told)).to_be_visible()
    page.evaluate(DROP, ["endless.csv"])
    expect(page.get_by_text("Sending 1 of 1")).to_be_visible()
    assert page.evaluate(CANCELLED, ["beforeunload", False])  # It asks before it goes.


def test_jpeg_and_zip_are_taken_and_a_stated_patient_is_shown_nowhere(films: WorkspacePage) -> None:
    page = films.page
    patient = page.get_by_label("Patient id of the next files")
    patient.fill("Lovelace 1815")
    films.choose([film("before.jpg", 1)])
    expect(patient).to_have_value("")  # The next files are the next patient's.
    films.wait("before.jpg", "Ready to read")
    patient.fill("Lovelace 1815")
    films.choose([film("after.png", 2)])
    films.wait("after.png", "Ready to read")
    archive = zipped(**{n: film(f"{n}.png", ord(n))["buffer"] for n in "ab"}, c=b"no film")
    films.choose([{"name": "all.zip", "mimeType": "application/zip", "buffer": archive}])
    films.wait("all.zip · 1", "Ready to read")
    films.wait("all.zip · 3", "PNG, JPEG or DICOM")
    films.row("after.png").click()
    expect(page.locator(".cx-casehead h3")).to_have_text("after.png")
    expect(page.get_by_role("button", name="The same patient's earlier image")).to_be_visible()
    films.row("all.zip · 2").click()
    expect(page.get_by_role("button", name="The same patient's earlier image")).to_be_hidden()
    assert "Lovelace" not in page.content()
