"""The workspace in a real browser on the running platform: first paint, one film's way, 500 films.

python -m benchmarks.workspace [--films 500] [--rounds 30]

Starts a platform of its own, or takes the running one that CHEXNET_TEST_STACK names by its env
file. Needs Chromium. For each way in, JupyterLab and the app without code:

- how long until the page paints something, and until it has a workspace that takes files; the
  second visit, whose scripts are in the browser's cache;
- from the drop of a film to 'Ready to read', beside what the pipeline itself took for the same
  film, from the gateway's receipt to the prediction on the bus. The gate is their difference:
  300 ms at the median;
- how long the browser was held up while many films came at once.
"""

from __future__ import annotations

import argparse
import base64
import shutil
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.stack import connected, platform
from chexnet import topics
from chexnet.data import phantoms
from chexnet.messages import Prediction, decode, new_id
from chexnet.settings import Settings
from chexnet.steps.ports import Reader
from tests.browser.app import AppPage
from tests.browser.page import MINUTE, WorkspacePage

GATE = 300  # Milliseconds.
WARM = 5  # Rounds that are not counted.
PORTION = 20  # Films that are handed to the page at a time.
READY = "Ready to read"
# Drops files, and resolves with when that was and when each row said that it can be read.
DROP = """(told) => new Promise((resolve) => {
    const files = window.films.splice(0), transfer = new DataTransfer();
    files.forEach((file) => transfer.items.add(file));
    const wall = () => performance.timeOrigin + performance.now();
    const seen = {tasks: [], frames: [], shown: []};
    const tasks = new PerformanceObserver((list) =>
        list.getEntries().forEach((one) => seen.tasks.push(one.duration)));
    tasks.observe({entryTypes: ["longtask"]});
    let last = performance.now();
    const list = document.querySelector(".cx-list");
    const before = new Set([...list.children].map((row) => row.id));
    const frame = (now) => {
        seen.frames.push(now - last);
        last = now;
        const ready = [...list.children].filter(
            (row) => !before.has(row.id) && row.textContent.includes(told)).length;
        while (seen.shown.length < ready) seen.shown.push(wall());
        if (ready < files.length) return requestAnimationFrame(frame);
        tasks.disconnect();
        resolve(seen);
    };
    seen.dropped = wall();
    const event = new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: transfer});
    document.querySelector(".cx-drop").dispatchEvent(event);
    requestAnimationFrame(frame);
})"""
HOLD = """(films) => {
    const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    (window.films ??= []).push(
        ...films.map(([name, text]) => new File([bytes(text)], name, {type: "image/png"})));
}"""
PAINTED = """() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN"""


class Asking(AppPage):
    """The app's page, which asks who reads."""

    def run(self, url: str, token: str, notebook: str, appears: str) -> None:
        """Open it, answer, and wait until what the selector names is there."""
        super().run(url, token, notebook, f"{appears}, .cx-asking")
        if (name := self.page.get_by_label("Your name")).is_visible():
            name.fill("Ada")
            self.page.get_by_role("button", name="Begin").click()
        self.page.locator(appears).first.wait_for(timeout=MINUTE)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--films", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=30)
    given = parser.parse_args()
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise SystemExit("Chromium is needed. Received: none on PATH. Install it.")
    late = []
    with platform() as settings, connected(settings) as bus, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        for kind, url, door in _doors(settings):
            print(f"{door} ({url})")
            opened = _first_paint(browser, kind, url, _token(settings, door))
            reader = bus.read([topics.PREDICTIONS], start="end")
            late.append(_one_by_one(opened.page, reader, given.rounds))
            reader.close()
            _at_once(opened.page, given.films)
            opened.page.context.close()
        browser.close()
    if max(late) > GATE:
        raise SystemExit(f"The page must add at most {GATE} ms. Received: {max(late):.0f} ms.")


def _doors(settings: Settings) -> list[tuple[type[WorkspacePage], str, str]]:
    return [
        (WorkspacePage, str(settings.jupyter_url), "jupyter"),
        (Asking, str(settings.app_url), "app"),
    ]


def _token(settings: Settings, name: str) -> str:
    return (settings.state / f"secrets/{name}.token").read_text().strip()


def _films(count: int) -> list[tuple[str, str]]:
    """Return names and contents, in base64, of films that nobody has uploaded before."""
    seed = int(new_id().replace("-", "")[-6:], 16)
    drawn = (phantoms.render(p, contrast=2.0, size=512) for p in phantoms.plan(count, seed))
    pngs = (phantoms.png(film) for film in drawn)
    return [(f"{seed}-{n}.png", base64.b64encode(png).decode()) for n, png in enumerate(pngs)]


def _first_paint(
    browser: Browser, kind: type[WorkspacePage], url: str, token: str
) -> WorkspacePage:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(MINUTE)
    for visit in ("first", "second"):
        opened = kind(context.new_page())
        opened.open(url, token, "workspace.ipynb")
        painted, useful = opened.page.evaluate(PAINTED), opened.page.evaluate("performance.now()")
        print(f"  {visit} visit: paints after {painted:.0f} ms, useful after {useful:.0f} ms")
        if visit == "first":
            opened.page.close()
    return opened


def _one_by_one(page: Page, predictions: Reader, rounds: int) -> float:
    """Return the median of what the page adds to the pipeline's own time, in ms."""
    taken: list[tuple[float, float, float]] = []
    with ThreadPoolExecutor(1) as beside:
        for film in _films(WARM + rounds):
            own = beside.submit(_pipelines_own, predictions)
            page.evaluate(HOLD, [film])
            seen = page.evaluate(DROP, READY)
            shown = seen["shown"][0] - seen["dropped"]
            taken.append((shown, own.result(), shown - own.result()))
    medians = [statistics.median(values) for values in zip(*taken[WARM:], strict=True)]
    told = "{:.0f} ms from drop to shown, the pipeline's own {:.0f} ms, added {:.0f} ms"
    print(f"  {rounds} films singly, medians: {told.format(*medians)} (gate {GATE})", flush=True)
    return medians[2]


def _pipelines_own(predictions: Reader) -> float:
    """Return the ms from the gateway's receipt of the next film to its answer on the bus."""
    while True:
        for message in predictions.poll(timeout=1):
            if decode(message, Prediction).kind == "answer":
                return (time.time() - message.headers.created_at.timestamp()) * 1000


def _at_once(page: Page, count: int) -> None:
    films = _films(count)
    for at in range(0, count, PORTION):
        page.evaluate(HOLD, films[at : at + PORTION])
    seen = page.evaluate(DROP, READY)
    whole = (seen["shown"][-1] - seen["dropped"]) / 1000
    longest = max([0, *seen["tasks"]])
    frame = statistics.median(seen["frames"])
    print(
        f"  {count} films at once: {whole:.1f} s until all can be read ({count / whole:.1f} a "
        f"second); {len(seen['tasks'])} tasks above 50 ms, the longest {longest:.0f} ms; a frame "
        f"took {frame:.0f} ms at the median",
        flush=True,
    )


if __name__ == "__main__":
    main()
