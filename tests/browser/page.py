"""The workspace as a person at a screen meets it: what can be seen and pressed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from playwright.sync_api import Locator, Page, expect

MINUTE = 60_000  # Milliseconds: a kernel may start, a stack may be busy.
KERNEL_IS_THERE = """async () => {
    const base = JSON.parse(document.getElementById("jupyter-config-data").textContent).baseUrl;
    const sessions = await (await fetch(`${base}api/sessions`)).json();
    return sessions.some(({ kernel: one }) => one.execution_state === "idle" && one.connections);
}"""


class File(TypedDict):
    """A file that no disk holds, as Playwright takes it."""

    name: str
    mimeType: str
    buffer: bytes


class WorkspacePage:
    """A notebook's page with a workspace in it."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def rows(self) -> Locator:
        return self.page.get_by_role("listbox", name="Cases").get_by_role("option")

    @property
    def outputs(self) -> Locator:
        return self.page.get_by_label("The model's output").locator(".cx-output")

    def open(self, url: str, token: str, notebook: str) -> None:
        """Open a notebook with a workspace and run its cell."""
        self.run(url, token, notebook, ".cx-drop")
        expect(self.page.get_by_text("Connected")).to_be_visible(timeout=MINUTE)

    def run(self, url: str, token: str, notebook: str, appears: str) -> None:
        """Open a notebook and run its cell until what the selector names is there."""
        self._end_kernels(url, {"Authorization": f"token {token}"})
        self.page.add_locator_handler(self.page.locator(".jp-Dialog"), self._accept)
        self.page.goto(f"{url}/doc/tree/{notebook}?token={token}", timeout=MINUTE)
        self.page.locator(".jp-Notebook-ExecutionIndicator").wait_for(timeout=MINUTE)
        self.page.wait_for_function(KERNEL_IS_THERE, timeout=2 * MINUTE)
        prompt = self.page.locator(".jp-CodeCell .jp-InputPrompt").first
        for _ in range(6):  # JupyterLab drops a run that comes before it has heard of the kernel.
            self.page.locator(".jp-CodeCell .jp-InputArea-editor").first.click()
            self.page.keyboard.press("Shift+Enter")
            try:  # Once: a second run closes the workspace of the first, which may still come up.
                expect(prompt).not_to_have_text("[ ]:", timeout=MINUTE / 6)
                break
            except AssertionError:
                continue
        self.page.locator(appears).first.wait_for(timeout=MINUTE)

    def _accept(self, dialog: Locator) -> None:
        """Let JupyterLab have its way, which asks for a kernel where one was slow to start."""
        print(f"JupyterLab asked: {dialog.first.inner_text()}")
        dialog.first.locator(".jp-mod-accept").click()

    def _end_kernels(self, url: str, headers: dict[str, str]) -> None:
        """End what an earlier test left: its workspace would be shown until ours replaces it."""
        for session in self.page.request.get(f"{url}/api/sessions", headers=headers).json():
            self.page.request.delete(f"{url}/api/sessions/{session['id']}", headers=headers)

    def choose(self, files: Sequence[Path] | Sequence[File]) -> None:
        """Upload through the file chooser."""
        with self.page.expect_file_chooser() as chooser:
            self.page.get_by_role("button", name="Choose files").click()
        chooser.value.set_files(files)

    def choose_folder(self, folder: Path) -> None:
        """Upload a folder with the keyboard alone."""
        with self.page.expect_file_chooser() as chooser:
            self.page.get_by_role("button", name="Choose a folder").press("Enter")
        chooser.value.set_files(folder)

    def drop(self, files: Sequence[File], onto: str = ".cx-drop") -> None:
        """Upload by drag and drop."""
        transfer = self.page.evaluate_handle(
            """files => {
                const transfer = new DataTransfer();
                for (const [name, text] of files) transfer.items.add(new File([text], name));
                return transfer;
            }""",
            [[f["name"], f["buffer"].decode()] for f in files],
        )
        self.page.dispatch_event(onto, "drop", {"dataTransfer": transfer})

    def row(self, name: str) -> Locator:
        return self.rows.filter(has_text=name)

    def wait(self, name: str, told: str, timeout: float = MINUTE) -> None:
        """Wait until the row of the file says `told`."""
        expect(self.row(name)).to_contain_text(told, timeout=timeout)

    def say(self, finding: str, choice: str) -> None:
        """Press a choice of a finding."""
        group = self.page.get_by_role("radiogroup", name=finding, exact=True)
        group.get_by_role("radio", name=choice).check()

    def record(self) -> None:
        """Record the reading, also where most findings were not assessed."""
        self.page.get_by_role("button", name="Record and reveal").click()
        sure = self.page.get_by_role("button", name=re.compile(r"^Record \d+ of"))
        revealed = self.page.get_by_label("The model's output")
        expect(sure.or_(revealed).first).to_be_visible(timeout=MINUTE)
        if sure.is_visible():
            sure.click()

    def peek(self) -> None:
        """Show the output without a reading: it asks whether that is meant."""
        self.page.get_by_role("button", name="Show the output without a reading").click()
        self.page.get_by_role("button", name="Show it all the same").click()
