"""The chosen case: picture and heat map, the reader's findings, then the model's output."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, get_args

import anywidget
import numpy as np
import traitlets
from msgspec import to_builtins

from chexnet.errors import ChexnetError
from chexnet.inputs.base import Input
from chexnet.inputs.canonical import CIVIDIS
from chexnet.messages import Control, Feedback, Prediction
from chexnet.models.card import Card
from chexnet.runtime.outputs import LIKENESS, calibrated, outputs, unlike
from chexnet.ui import parts
from chexnet.ui.cards import Cards
from chexnet.ui.cases import Case, Cases
from chexnet.ui.films import Films
from chexnet.ui.reading import Kind, Readings
from chexnet.ui.transfer import Gateway
from chexnet.ui.wording import in_words, word_scale
from chexnet.ui.worklist import Worklist

PALETTES = {"Cividis": CIVIDIS.tolist(), "Grey": [[0, 0, 0], [255, 255, 255]]}
KINDS = get_args(Kind)
IDLE = "Nothing on the worklist waits for you."
HIDDEN = "Version hidden while an experiment runs"


def source_of(prediction: Prediction, control: Control) -> str:
    """Return which version answered, unless knowing it would unblind an experiment."""
    if control.experiment is not None:
        return HIDDEN
    role = "champion" if prediction.version == control.champion else "not in use any more"
    return f"Version {prediction.version} ({role})"


def outputs_of(prediction: Prediction, card: Card | None) -> list[dict[str, Any]]:
    """Return one entry for each finding, in the model's order; words for calibrated ones only."""
    worded = calibrated(card)
    return [
        {**to_builtins(output), "word": in_words(output.probability) if worded else ""}
        for output in outputs(prediction, card)
    ]


def said_of(feedback: Feedback | None) -> dict[str, Any] | None:
    """Return what a reading says, as the page shows it; None where nothing was said."""
    if feedback is None or not feedback.findings:
        return None
    boxes = [to_builtins(box) for box in feedback.boxes]
    said = {"findings": feedback.findings, "boxes": boxes, "note": feedback.note}
    return {"id": feedback.feedback_id, **said}


def heat_of(prediction: Prediction, label: str) -> dict[str, Any] | None:
    """Return the positive part of a finding's map as shares of its peak, row by row."""
    if not label or prediction.cam is None:
        return None
    of_label = prediction.cam.array()[list(prediction.probabilities).index(label)]
    positive = np.maximum(of_label.astype(np.float64), 0)
    shares = positive / max(float(positive.max()), 1e-9)
    rows, columns = shares.shape
    return {"rows": rows, "columns": columns, "values": shares.round(4).ravel().tolist()}


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
        gateway: has its film.
        source: draws what the model sees.
        cards: of the versions that answered.
        worklist: says why a case was not drawn.
        began: called with the case of which the reader has said the first thing.
        changed: called after a reading, so that others draw it too.
        onward: called when the reader wants the next case of the worklist; says whether there is.
    """

    _esm = parts.module(
        "pixels.js", "boxes.js", "viewer.js", "draft.js", "form.js", "outputs.js", "case.js"
    )
    _css = parts.STYLE
    view = traitlets.Dict().tag(sync=True)
    palettes = traitlets.Dict(PALETTES).tag(sync=True)

    def __init__(
        self,
        cases: Cases,
        readings: Readings,
        *,
        gateway: Gateway,
        source: Input,
        cards: Cards,
        worklist: Worklist,
        began: Callable[[str], None],
        changed: Callable[[], None],
        onward: Callable[[], bool],
    ) -> None:
        super().__init__(view={"id": "", "phase": "none"})
        self._cases, self._readings, self._source = cases, readings, source
        self._cards, self._worklist = cards, worklist
        self._began, self._changed, self._onward = began, changed, onward
        self._control = Control.empty("")
        self._chosen = ""
        self._mapped: str | None = None  # None until the reader chose: then the likeliest is shown.
        self._films = Films(gateway, source, self._pass_on)
        self._pending: set[str] = set()  # Cases whose readings are on their way to the bus.
        self._recorder = ThreadPoolExecutor(1, thread_name_prefix="readings")
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
                self.view = {"id": "", "phase": "none"}
            else:
                self.view = self._view(case)

    def close(self) -> None:
        """Ask for no more films; what is being recorded still is."""
        self._films.close()
        self._recorder.shutdown(wait=False)
        super().close()

    def _view(self, case: Case) -> dict[str, Any]:
        view: dict[str, Any] = {
            "id": case.case_id,
            "image": case.image_id if case.canonical is not None else "",
            "name": case.title,
            "told": case.state,
            "error": case.error,
            "labels": list(self._source.labels),
            "answered": case.answered,
            "phase": self._phase(case),
            "pending": case.case_id in self._pending,
            "undrawn": "",
        }
        if view["phase"] == "blinded":
            view["undrawn"] = self._worklist.undrawn(case)
        if view["phase"] != "revealed" or case.prediction is None:
            return view
        self._readings.show(case)
        blinded, assisted = self._readings.of(case)
        card = self._cards.of(case.prediction.version)
        far = unlike(case.prediction, card)
        maps = case.prediction.cam is not None
        mapped = self._mapped_of(case.prediction) if maps else ""
        return view | {
            "outputs": outputs_of(case.prediction, card),
            "source": source_of(case.prediction, self._control),
            "maps": maps,
            "mapped": mapped,
            "heat": heat_of(case.prediction, mapped),
            "scale": word_scale() if calibrated(card) else "",
            "unlike": far,
            "likeness": LIKENESS[far],
            "reading": said_of(blinded),
            "comment": said_of(assisted),
            "note": note_of(blinded, assisted),
            "cardless": self._cards.why(case.prediction.version),
        }

    def _phase(self, case: Case) -> str:
        if case.state == "refused":
            return "refused"
        return self._readings.phase(case) if case.canonical is not None else "early"

    def _mapped_of(self, prediction: Prediction) -> str:
        if self._mapped is None:
            return max(prediction.probabilities, key=lambda name: prediction.probabilities[name])
        return self._mapped

    def _pass_on(self, told: Mapping[str, Any], data: bytes | None) -> None:
        self.send(dict(told), buffers=[] if data is None else [data])

    def _hear(self, _widget: object, message: dict[str, Any], _buffers: object) -> None:
        if message == {"type": "next"}:
            if not self._onward():
                self.send({"type": "idle", "text": IDLE})
            return
        case = self._cases.get(str(message.get("id")))
        if case is None:
            return
        match message:
            case {"type": "record", "said": dict(told), "expects": expects} if expects in KINDS:
                self._submit(case, partial(self._readings.record, case, told, expects=expects))
            case {"type": "began"}:
                self._began(case.case_id)
            case {"type": "skip"}:
                self._submit(case, partial(self._readings.skip, case))
            case {"type": "film", "image": str(image_id)}:
                self._films.want(case, image_id)
            case {"type": "map", "label": str(label)} if label in ("", *self._source.labels):
                self._mapped = label
                self.redraw(self._control)

    def _submit(self, case: Case, act: Callable[[], object]) -> None:
        """Do what waits for the bus beside the kernel's thread, one at a time."""
        with self._lock:
            if case.case_id in self._pending:
                return  # A second press of what is on its way.
            self._pending.add(case.case_id)
            self.redraw(self._control)
            self._recorder.submit(self._do, case, act)

    def _do(self, case: Case, act: Callable[[], object]) -> None:
        problem = ""
        try:
            act()
        except ChexnetError as error:
            problem = str(error)
        except Exception as error:
            problem = f"Recording failed: {type(error).__name__}. Try it again."
            raise
        finally:
            with self._lock:
                self._pending.discard(case.case_id)
                self.redraw(self._control)
            if problem:
                told = {"id": case.case_id, "name": case.title, "text": problem}
                self.send({"type": "problem", **told})
            self._changed()
