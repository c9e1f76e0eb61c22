"""What a model says of images, and how good that is. Patients are clusters, not rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from msgspec import Struct, to_builtins
from numpy.typing import NDArray

from chexnet.data.checkout import Dataset
from chexnet.data.labels import UNKNOWN
from chexnet.data.pipeline import in_order
from chexnet.evaluation import calibration, delong
from chexnet.evaluation.auroc import auroc
from chexnet.evaluation.curve import curve
from chexnet.evaluation.details import columns
from chexnet.evaluation.scored import Scored
from chexnet.evaluation.subgroups import subgroups
from chexnet.models.base import FEATURES

Floats = NDArray[np.float64]
CONFIDENCE = 0.95


class Scores(Struct, frozen=True):
    """A model's outputs for some rows of a dataset."""

    logits: NDArray[np.float32]
    features: NDArray[np.float32]

    @property
    def probabilities(self) -> Floats:
        """As the exported model gives them."""
        return 1 / (1 + np.exp(-self.logits.astype(np.float64)))


class Scorer:
    """Asks one model, again and again while it learns: its graph is traced once."""

    def __init__(self, model: keras.Model) -> None:
        wanted = {name: model.output[name] for name in ("logits", FEATURES)}
        self._model = keras.Model(model.input, wanted)

    def score(self, data: Dataset, rows: NDArray[np.intp], batch_size: int = 64) -> Scores:
        """Return the outputs for `rows`."""
        outputs = self._model.predict(in_order(data, rows, batch_size), verbose=0)
        return Scores(outputs["logits"], outputs[FEATURES])


def scored(rows: NDArray[np.intp], said: Scores, data: Dataset) -> Scored | None:
    """Return what was said of `rows` beside the reference; None of a model that has diverged."""
    if not np.isfinite(said.logits).all():
        return None
    y, probabilities = data.y[rows], said.probabilities
    image, unit = data.image_id[rows], data.unit[rows]
    details = columns(data.details[rows])
    return Scored.of(data.index.labels, image, unit, probabilities, y == 1, y != UNKNOWN, details)


def groups(found: Scored) -> list[dict[str, Any]]:
    """Return what a card says of each sex, age group and view: images, patients, mean AUROC.

    The mean is over the labels that have an AUROC in each group of the attribute; None of none.
    """
    return [
        {
            "attribute": group.attribute,
            "value": group.value,
            "images": group.images,
            "units": group.patients,
            "macro_auroc": to_builtins(group.mean),
            "labels": list(group.mean_of),
        }
        for group in subgroups(found, CONFIDENCE)
    ]


def areas(logits: NDArray[np.floating[Any]], y: NDArray[np.uint8]) -> list[float]:
    """Return the AUROC of each label; NaN where a label has no positive or no negative."""
    return [auroc(logits[known, i], y[known, i] == 1) for i, known in enumerate((y != UNKNOWN).T)]


def loss(logits: NDArray[np.floating[Any]], y: NDArray[np.uint8]) -> float:
    """Return the mean binary cross-entropy over the known findings."""
    known = y != UNKNOWN
    if not known.any():
        return math.nan
    z, target = logits[known].astype(np.float64), y[known]
    return float(np.mean(np.logaddexp(0, z) - target * z))


def metrics(
    scores: Scores, y: NDArray[np.uint8], units: NDArray[np.str_], labels: Sequence[str]
) -> dict[str, Any]:
    """Return what a card says of one split: AUROCs with 95 % intervals, patients as clusters.

    A label with fewer than two patients on a side has no figure, and is not in the mean.
    """
    _, patient = np.unique(units, return_inverse=True)
    patients = int(patient.max(initial=-1)) + 1
    logits = scores.logits.astype(np.float64)
    found = {
        label: _estimate(logits[:, i], y[:, i], patient, patients) for i, label in enumerate(labels)
    }
    known = {label: estimate for label, estimate in found.items() if estimate is not None}
    return {
        "images": len(y),
        "units": patients,
        "confidence": CONFIDENCE,
        "loss": loss(scores.logits, y),
        "macro_auroc": _stated(delong.mean(list(known.values()))) if known else None,
        "auroc": {label: _stated(estimate) for label, estimate in known.items()},
        "positive": {label: int((y[:, i] == 1).sum()) for i, label in enumerate(labels)},
    }


def _estimate(
    logits: Floats, y: NDArray[np.uint8], patient: NDArray[np.intp], patients: int
) -> delong.Estimate | None:
    known = y != UNKNOWN
    try:
        return delong.clustered(logits[known], y[known] == 1, patient[known], patients)
    except ValueError:  # Too few on one side: there is no interval, so there is no figure.
        return None


def _stated(estimate: delong.Estimate) -> dict[str, float]:
    limits = delong.logit_interval(estimate, CONFIDENCE)
    return {"value": limits.value, "low": limits.low, "high": limits.high}


def thresholds(probabilities: Floats, y: NDArray[np.uint8]) -> list[float]:
    """Return, for each label, Youden's threshold; one half where a label has one side only."""
    return [_youden(probabilities[k, i], y[k, i] == 1) for i, k in enumerate((y != UNKNOWN).T)]


def _youden(probabilities: Floats, present: NDArray[np.bool_]) -> float:
    if present.all() or not present.any():
        return 0.5
    return curve(probabilities, present).youden()


def temperature(probabilities: Floats, y: NDArray[np.uint8]) -> float | None:
    """Return what calibrates the probabilities; None where only one kind of finding is known."""
    known = y != UNKNOWN
    try:
        return calibration.temperature(probabilities[known], y[known] == 1)
    except ValueError:
        return None
