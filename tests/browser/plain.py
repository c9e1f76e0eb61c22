"""A workspace in a page without Jupyter: the same widgets, their kernel is the test's process.

Traits and messages go through a queue which the page asks for news, as a comm would bring them. A
test takes a second, not the half minute that JupyterLab and a kernel need.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import Any

from ipywidgets import DOMWidget
from playwright.sync_api import Page

from chexnet.ui import Workspace
from tests.browser.page import WorkspacePage

ADDRESS = "http://workspace.test/"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Workspace</title>
<style>{style}</style>
<body data-jp-theme-light="true"><main class="cx-workspace"><div id="banner"></div>
<div class="cx-columns"><div id="uploads"></div><div id="case"></div></div></main></body></html>"""
SCRIPT = """async ({widgets}) => {
  const models = {}, modules = {};
  // So that a test can show one widget twice, as two output views of a notebook do.
  window.again = (name, el) => modules[name].render({ model: models[name], el });
  const packed = (buffer) => {
    let text = "";
    for (const byte of new Uint8Array(buffer)) text += String.fromCharCode(byte);
    return btoa(text);
  };
  class Model {
    constructor(name, state) { Object.assign(this, { name, state, heard: {} }); }
    get(trait) { return this.state[trait]; }
    on(event, act) { (this.heard[event] ??= []).push(act); }
    off(event, act) { this.heard[event] = (this.heard[event] ?? []).filter((one) => one !== act); }
    emit(event, ...told) { (this.heard[event] ?? []).forEach((act) => act(...told)); }
    send(message, _, buffers = []) { window.tell(this.name, message, buffers.map(packed)); }
  }
  for (const [name, { source, state }] of Object.entries(widgets)) {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    modules[name] = (await import(url)).default;
    models[name] = new Model(name, state);
    modules[name].render({ model: models[name], el: document.getElementById(name) });
  }
  const news = async () => {
    for (const { name, trait, value, message, buffers } of await window.news()) {
      if (trait) {
        models[name].state[trait] = value;
        models[name].emit(`change:${trait}`);
      } else {
        const bytes = buffers.map((text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));
        models[name].emit("msg:custom", message, bytes);
      }
    }
    setTimeout(news, 20);
  };
  news();
}"""


class PlainPage(WorkspacePage):
    """A page with a workspace of this process in it."""

    def __init__(self, page: Page, workspace: Workspace) -> None:
        super().__init__(page)
        self.workspace = workspace
        self.gone = False  # As a kernel is that has ended: it hears nothing, and says nothing.
        banner = workspace.children[0]
        self._widgets = {"banner": banner, "uploads": workspace.uploads, "case": workspace.case}
        self._queue: SimpleQueue[dict[str, Any]] = SimpleQueue()
        for name, widget in self._widgets.items():
            self._listen(name, widget)
        page.expose_function("tell", self._tell)
        page.expose_function("news", self._news)
        html = PAGE.format(style=workspace.case._css)
        page.route(ADDRESS, lambda route: route.fulfill(body=html, content_type="text/html"))
        page.goto(ADDRESS)
        told = {n: {"source": w._esm, "state": self._state(w)} for n, w in self._widgets.items()}
        page.evaluate(SCRIPT, {"widgets": told})

    def _listen(self, name: str, widget: Any) -> None:
        def changed(change: Any) -> None:
            self._queue.put({"name": name, "trait": change.name, "value": _copied(change.new)})

        def send(content: dict[str, Any], buffers: Sequence[bytes] = ()) -> None:
            packed = [base64.b64encode(data).decode() for data in buffers]
            self._queue.put({"name": name, "message": content, "buffers": packed})

        widget.observe(changed, names=list(self._state(widget)))
        widget.send = send

    @staticmethod
    def _state(widget: Any) -> dict[str, Any]:
        own = {*widget.trait_names(sync=True)} - {*DOMWidget.class_trait_names(sync=True)}
        return {name: _copied(getattr(widget, name)) for name in own if name[0] != "_"}

    def _tell(self, name: str, message: dict[str, Any], buffers: list[str]) -> None:
        if self.gone:
            return
        data = [memoryview(base64.b64decode(text)) for text in buffers]
        self._widgets[name]._handle_custom_msg(message, data)

    def _news(self) -> list[dict[str, Any]]:
        found = []
        while True:
            try:
                found.append(self._queue.get_nowait())
            except Empty:
                return found


def _copied(value: Any) -> Any:
    """Return the value as JSON brings it: the kernel may go on changing its own."""
    return json.loads(json.dumps(value))
