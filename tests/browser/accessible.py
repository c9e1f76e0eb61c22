"""What axe-core finds on a page, and whether all of it can be seen at a size."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

WIDER = """within => [...document.querySelectorAll(`${within}, ${within} *`)].filter((one) => {
    const box = one.getBoundingClientRect();
    const shown = box.width && getComputedStyle(one).visibility !== "hidden";
    const scrolls = one.parentElement.closest(".cx-list, .cx-scroll, .cx-stage, svg, table");
    return shown && !scrolls && box.right > innerWidth + 1;
}).map((one) => `${one.tagName} ${one.className}`)"""


def serious(page: Page, within: str) -> tuple[list[str], int]:
    """Return axe-core's serious and critical findings, and how many elements it found well."""
    # JupyterLab's body has no height, which axe takes for hidden with all that is in it.
    page.add_style_tag(content="body { height: 100vh; }")
    found = Axe().run(page, within, {"resultTypes": ["violations", "passes"]}).response
    lacking = [
        f"{rule['id']}: {node['target']}: {node['failureSummary']}"
        for rule in found["violations"]
        if rule["impact"] in {"serious", "critical"}
        for node in rule["nodes"]
    ]
    return lacking, sum(len(rule["nodes"]) for rule in found["passes"])


def cut_off(page: Page, within: str) -> list[str]:
    """Return the elements that reach out of the window to the right."""
    found: list[str] = page.evaluate(WIDER, within)
    return found
