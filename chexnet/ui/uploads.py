"""The left column: files go in, and each case shows how far it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
import traitlets

from chexnet.inputs.base import Input
from chexnet.ui import parts
from chexnet.ui.cases import Case, Cases
from chexnet.ui.reading import Readings
from chexnet.ui.transfer import Inbox


def row(case: Case, readings: Readings) -> dict[str, Any]:
    """Return what the list shows of a case: never an output."""
    return {
        "id": case.case_id,
        "name": case.name,
        "state": case.state,
        "size": case.size,
        "received": case.received,
        "checked": case.canonical is not None,
        "read": bool(case.image_id) and readings.phase(case) != "blinded",
        "duplicate": case.duplicate,
        "error": case.error,
    }


class Uploads(anywidget.AnyWidget):  # type: ignore[misc]
    """Takes files by drag and drop or chooser, and lists the cases, newest first.

    Args:
        cases: what is listed.
        readings: which of them are read.
        inbox: where the browser's files go.
        source: names the kinds of files, and draws thumbnails.
        choose: called with the case that a person chose.
        arrive: called with the case of a file that has begun to come.
    """

    _esm = parts.module("uploads.js")
    _css = parts.STYLE
    rows: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    chosen = traitlets.Unicode("").tag(sync=True)
    accept = traitlets.Unicode("").tag(sync=True)
    kinds = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        cases: Cases,
        readings: Readings,
        *,
        inbox: Inbox,
        source: Input,
        choose: Callable[[str], None],
        arrive: Callable[[str], None],
    ) -> None:
        suffixes = (*source.suffixes, ".zip")
        kinds = ", ".join(s.lstrip(".").upper() for s in suffixes)
        super().__init__(accept=",".join(suffixes), kinds=kinds)
        self._cases, self._readings, self._inbox = cases, readings, inbox
        self._source, self._choose, self._arrive = source, choose, arrive
        self.on_msg(self._hear)

    def redraw(self) -> None:
        """Show the cases as they are now."""
        newest = sorted(self._cases.all(), key=lambda case: case.added_at, reverse=True)
        self.rows = [row(case, self._readings) for case in newest]

    def _hear(self, _widget: object, message: dict[str, Any], buffers: list[memoryview]) -> None:
        match message:
            case {"type": "begin", "id": str(file_id), "name": str(name), "size": int(size)}:
                go = self._inbox.begin(file_id, name, size)
                self.send({"type": "ack", "id": file_id, "go": go})
                self._arrive(file_id)
            case {"type": "piece", "id": str(file_id)}:
                self._inbox.add(file_id, bytes(buffers[0]))
                self.send({"type": "ack", "id": file_id, "go": True})
            case {"type": "choose", "id": str(case_id)}:
                self._choose(case_id)
            case {"type": "thumbnail", "id": str(case_id)}:
                self._send_thumbnail(case_id)

    def _send_thumbnail(self, case_id: str) -> None:
        found = self._cases.get(case_id)
        if found is not None and found.canonical is not None:
            picture = self._source.render(found.canonical)
            self.send({"type": "thumbnail", "id": case_id}, buffers=[picture])
