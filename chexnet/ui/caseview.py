"""The chosen case: picture and heat map, the reader's findings, then the model's output."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import anywidget
import numpy as np
import traitlets

from chexnet.errors import ChexnetError
from chexnet.inputs.base import Input
from chexnet.messages import Control, Feedback, Prediction
from chexnet.ui import parts
from chexnet.ui.cases import Case, Cases
from chexnet.ui.reading import Readings

Thresholds = Callable[[int], dict[str, float]]  # Of a version; {} where its card can't be read.
HIDDEN = "Version hidden while an experiment runs"


def source_of(prediction: Prediction, control: Control) -> str:
    """Return which version answered, unless knowing it would unblind an experiment."""
    if control.experiment is not None:
        return HIDDEN
    role = "champion" if prediction.version == control.champion else "not in use any more"
    return f"Version {prediction.version} ({role})"


def outputs_of(prediction: Prediction, thresholds: dict[str, float]) -> list[dict[str, Any]]:
    """Return one entry for each finding, in the model's order."""
    return [
        {"label": label, "probability": value, "threshold": thresholds.get(label)}
        for label, value in prediction.probabilities.items()
    ]


def note_of(blinded: Feedback | None, assisted: Feedback | None) -> str:
    """Return what is on record of this reader, in a sentence or two."""
    first = (
        f"Your blinded reading was recorded at {blinded.recorded_at.astimezone():%H:%M}."
        if blinded
        else "No blinded reading: the output was shown first."
    )
    return f"{first} An assisted one is recorded, too." if assisted and assisted.findings else first


class CaseView(anywidget.AnyWidget):  # type: ignore[misc]
    """Shows one case. No output leaves the kernel before the reader's findings are recorded.

    Args:
        cases: where the case is found.
        readings: what was recorded of it.
        source: draws the picture and its overlay.
        thresholds: of a version.
        changed: called after a reading, so that others draw it too.
    """

    _esm = parts.module("case.js")
    _css = parts.STYLE
    view = traitlets.Dict().tag(sync=True)
    picture = traitlets.Bytes(b"").tag(sync=True)
    overlay = traitlets.Bytes(b"").tag(sync=True)

    def __init__(
        self,
        cases: Cases,
        readings: Readings,
        *,
        source: Input,
        thresholds: Thresholds,
        changed: Callable[[], None],
    ) -> None:
        super().__init__(view={"id": "", "phase": "none"})
        self._cases, self._readings, self._source = cases, readings, source
        self._thresholds, self._changed = thresholds, changed
        self._control = Control.empty("")
        self._chosen = ""
        self._mapped: str | None = None  # None until the reader chose: then the likeliest is shown.
        self._lock = threading.RLock()  # The browser and the bus both cause drawing.
        self.on_msg(self._hear)

    def choose(self, case_id: str) -> None:
        """Show another case."""
        with self._lock:
            if case_id != self._chosen:
                self._chosen, self._mapped = case_id, None
            self.redraw(self._control)

    def redraw(self, control: Control) -> None:
        """Show the case as it is now."""
        with self._lock:
            self._control = control
            case = self._cases.get(self._chosen)
            if case is None:
                self.view, self.picture, self.overlay = {"id": "", "phase": "none"}, b"", b""
                return
            view = self._view(case)
            if view == self.view:  # Picture and map follow from it: another case has changed.
                return
            with self.hold_sync():  # The browser gets picture, map and view at once.
                shown = case.canonical
                self.picture = b"" if shown is None else self._source.render(shown)
                self.overlay = self._overlay(case, view.get("mapped", ""))
                self.view = view

    def _view(self, case: Case) -> dict[str, Any]:
        view: dict[str, Any] = {
            "id": case.case_id,
            "name": case.name,
            "told": case.state,
            "error": case.error,
            "labels": list(self._source.labels),
            "answered": case.answered,
            "phase": self._phase(case),
        }
        if view["phase"] != "revealed" or case.prediction is None:
            return view
        self._readings.show(case)
        blinded, assisted = self._readings.of(case)
        maps = case.prediction.cam is not None
        return view | {
            "outputs": outputs_of(case.prediction, self._thresholds(case.prediction.version)),
            "source": source_of(case.prediction, self._control),
            "maps": maps,
            "mapped": self._mapped_of(case.prediction) if maps else "",
            "reading": blinded.findings if blinded else None,
            "comment": assisted.findings if assisted and assisted.findings else None,
            "note": note_of(blinded, assisted),
        }

    def _phase(self, case: Case) -> str:
        if case.state == "refused":
            return "refused"
        return self._readings.phase(case) if case.canonical is not None else "early"

    def _mapped_of(self, prediction: Prediction) -> str:
        if self._mapped is None:
            return max(prediction.probabilities, key=lambda name: prediction.probabilities[name])
        return self._mapped

    def _overlay(self, case: Case, label: str) -> bytes:
        prediction = case.prediction
        if not label or prediction is None or prediction.cam is None or case.canonical is None:
            return b""
        maps = prediction.cam.array().astype(np.float32)
        return self._source.overlay(
            case.canonical, maps[list(prediction.probabilities).index(label)]
        )

    def _hear(self, _widget: object, message: dict[str, Any], _buffers: object) -> None:
        case = self._cases.get(str(message.get("id")))
        if case is None:
            return
        try:
            match message:
                case {"type": "record", "findings": dict(findings)}:
                    self._readings.record(case, findings)
                case {"type": "skip"}:
                    self._readings.skip(case)
                case {"type": "map", "label": str(label)} if label in ("", *self._source.labels):
                    self._mapped = label
            self.redraw(self._control)
            self._changed()
        except ChexnetError as error:
            self.send({"type": "problem", "text": str(error)})
