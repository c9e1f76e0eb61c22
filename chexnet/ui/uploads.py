"""The left column: files go in, and each case shows how far it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import anywidget
import traitlets

from chexnet.inputs.base import Input
from chexnet.ui import parts
from chexnet.ui.cases import Case, Cases
from chexnet.ui.reading import Readings
from chexnet.ui.transfer import Inbox
from chexnet.ui.worklist import Worklist


def row(case: Case, readings: Readings, worklist: Worklist) -> dict[str, Any]:
    """Return what the list shows of a case: never an output."""
    return {
        "id": case.case_id,
        "title": case.title,
        "at": case.added_at.timestamp(),
        "archive": case.archive,
        "index": case.index,
        "state": case.state,
        "size": case.size,
        "received": case.received,
        "checked": case.canonical is not None,
        "read": _done(case, readings),
        "listed": worklist.propensity(case) is not None,
        "duplicate": case.duplicate,
        "error": case.error,
    }


def _done(case: Case, readings: Readings) -> str:
    """Return whether the reader has read the image, or only seen its output; "" for neither."""
    if not case.image_id or readings.phase(case) == "blinded":
        return ""
    said = [reading for reading in readings.of(case) if reading and reading.findings]
    return "read" if said else "seen"


class Uploads(anywidget.AnyWidget):  # type: ignore[misc]
    """Takes files by drag and drop or chooser, and lists the cases, newest first.

    What the files are called stays in the page: it gives each an id, and knows the name by that.
    Rows go to the page as messages, those that changed: a list of a thousand at ten times a
    second would fill the wire.

    Args:
        cases: what is listed.
        readings: which of them are read.
        worklist: which of them are to be read.
        inbox: where the browser's files go.
        source: names the kinds of files, and draws thumbnails.
        choose: called with the case that a person chose.
        arrive: called with the case of a file that has begun to come.
    """

    _esm = parts.module("sender.js", "picked.js", "rows.js", "uploads.js")
    _css = parts.STYLE
    chosen = traitlets.Unicode("").tag(sync=True)
    accept = traitlets.Unicode("").tag(sync=True)
    kinds = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        cases: Cases,
        readings: Readings,
        worklist: Worklist,
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
        self._worklist = worklist
        self._source, self._choose, self._arrive = source, choose, arrive
        self._rows: dict[str, dict[str, Any]] = {}  # What the page has, by case.
        self._lock = threading.RLock()  # An older list must not overtake a newer one.
        self.on_msg(self._hear)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """What the page shows, the newest first."""
        return sorted(self._rows.values(), key=lambda shown: shown["at"], reverse=True)

    def redraw(self) -> None:
        """Show the cases as they are now."""
        with self._lock:
            now = {c.case_id: row(c, self._readings, self._worklist) for c in self._cases.all()}
            changed = [shown for its, shown in now.items() if self._rows.get(its) != shown]
            gone = [its for its in self._rows if its not in now]
            self._rows = now
            if changed or gone:
                self.send({"type": "rows", "changed": changed, "gone": gone})

    def _hear(self, _widget: object, message: dict[str, Any], buffers: list[memoryview]) -> None:
        piece = bytes(buffers[0]) if buffers else b""
        match message:
            case {"type": "begin", "id": str(file_id), "size": int(size)}:
                patient = str(message.get("patient", "")).strip()
                self._answer(file_id, self._inbox.begin(file_id, size, piece, patient))
                if message.get("first", True):
                    self._arrive(file_id)
            case {"type": "piece", "id": str(file_id)}:
                self._answer(file_id, self._inbox.add(file_id, piece))
            case {"type": "abandon", "id": str(file_id), "why": str(why)}:
                self._inbox.abandon(file_id, why)
            case {"type": "all"}:  # A page that has just come, or come again.
                with self._lock:
                    self.send({"type": "rows", "all": True, "changed": self.rows, "gone": []})
            case {"type": "choose", "id": str(case_id)}:
                self._choose(case_id)
            case {"type": "thumbnail", "id": str(case_id)}:
                self._send_thumbnail(case_id)

    def _answer(self, file_id: str, taken: Future[bool]) -> None:
        def acknowledge(taken: Future[bool]) -> None:
            go = not taken.cancelled() and taken.exception() is None and taken.result()
            self.send({"type": "ack", "id": file_id, "go": go})

        taken.add_done_callback(acknowledge)

    def _send_thumbnail(self, case_id: str) -> None:
        found = self._cases.get(case_id)
        if found is not None and found.canonical is not None:
            picture = self._source.render(found.canonical)
            self.send({"type": "thumbnail", "id": case_id}, buffers=[picture])
