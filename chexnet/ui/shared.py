"""A page that several people share: it asks who reads, and shows their own."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import anywidget
import ipywidgets
import traitlets

from chexnet.errors import ChexnetError
from chexnet.messages import UNVERIFIED
from chexnet.ui import parts

LONGEST = 60  # Characters of a name.


def reader(said: str) -> str:
    """Return the reader's name as it goes into readings; empty where nothing was said.

    Nobody checked it, and the record says so: two people may give the same name.
    """
    name = " ".join("".join(c if c.isprintable() else " " for c in said).split())[:LONGEST]
    return f"{name}{UNVERIFIED}" if any(map(str.isalnum, name)) else ""


class Asking(anywidget.AnyWidget):  # type: ignore[misc]
    """Asks for a name; the browser remembers it, so that it is asked once."""

    _esm = parts.module("shared.js")
    _css = parts.STYLE
    longest = traitlets.Int(LONGEST).tag(sync=True)
    reader = traitlets.Unicode("").tag(sync=True)  # Empty until somebody said who reads.


class Shared(ipywidgets.VBox):  # type: ignore[misc]
    """Asks who reads, then shows what `make` returns for that reader.

    Args:
        make: called once with the name, as it goes into the records.
    """

    def __init__(self, make: Callable[[str], ipywidgets.Widget]) -> None:
        self._make = make
        self.asking = Asking()
        self.asking.on_msg(self._hear)
        super().__init__([self.asking])

    def _hear(self, _widget: object, message: dict[str, Any], _buffers: object) -> None:
        match message:
            case {"type": "reader", "name": str(said)} if not self.asking.reader:
                if name := reader(said):
                    self.asking.reader = name
                    self.children = (self.asking, self._made(name))

    def _made(self, name: str) -> ipywidgets.Widget:
        try:
            return self._make(name)
        except ChexnetError as error:
            said = escape(str(error))
            return ipywidgets.HTML(f'<p class="cx cx-problem" role="alert">{said}</p>')
