"""A widget whose page can tell whether its kernel still answers: what it shows may be of before."""

from __future__ import annotations

from typing import Any

import anywidget

ALIVE = {"type": "alive"}


class Answering(anywidget.AnyWidget):  # type: ignore[misc]
    """Answers the page's question whether somebody is there; `watch` in dom.js asks it."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.on_msg(self._answer_alive)

    def _answer_alive(self, _widget: object, message: dict[str, Any], _buffers: object) -> None:
        if message == ALIVE:
            self.send(ALIVE)
