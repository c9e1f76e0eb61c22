"""Whether a probability is one: how often it was right when it said so, and how to mend it."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from chexnet.evaluation.delong import Interval
from chexnet.evaluation.means import proportion
from chexnet.evaluation.scored import Bools, Finding, Floats, Scored

BINS = 15  # Of equal width, as in Guo et al. 2017.
GROUPS = 10  # Of equal size, for the plot: most probabilities of a rare finding are near 0.
SHARPEST, FLATTEST = 0.05, 20.0  # Between which a temperature is looked for.
NEAREST = 1e-7  # To 0 and 1: float32 probabilities end there, and a logit must be finite.


class Group(Struct, frozen=True):
    """Images of like probability. `observed` is None where they are of one patient."""

    images: int
    said: float  # The mean probability.
    share: float  # Of them, with the finding.
    observed: Interval | None


def ece(scores: Floats, present: Bools) -> float:
    """Return the expected calibration error: the mean distance of what was said from what was so.

    Args:
        scores: [n] probabilities of one finding.
        present: [n] the reference.

    Returns:
        0 to 1; the mean over images of |share - mean probability| of their bin.

    Source: Naeini et al. 2015, AAAI; 15 bins of equal width as in Guo et al. 2017,
    arXiv:1706.04599, here of the finding's probability.
    """
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    gap = np.bincount(place, scores - present, minlength=BINS)
    return float(np.abs(gap).sum() / len(scores))


def reliability(finding: Finding, confidence: float) -> list[Group]:
    """Return the finding's images in groups of equal size, from the least probable.

    Equal probabilities stay in one group, so that there may be fewer groups.
    """
    inner = np.quantile(finding.scores, np.linspace(0, 1, GROUPS + 1)[1:-1])
    place = np.searchsorted(np.unique(inner), finding.scores, side="left")
    return [_group(finding, place == number, confidence) for number in np.unique(place)]


def _group(finding: Finding, rows: Bools, confidence: float) -> Group:
    present, patient = finding.present[rows], finding.patient[rows]
    single = (patient == patient[0]).all()
    return Group(
        len(present),
        float(finding.scores[rows].mean()),
        float(present.mean()),
        None if single else proportion(present, patient, confidence),
    )


def scaled(probabilities: Floats, temperature: float) -> Floats:
    """Return the probabilities after temperature scaling: their logits divided by it."""
    cooled: Floats = expit(_logits(probabilities) / temperature)
    return cooled


def temperature(probabilities: Floats, present: Bools) -> float:
    """Return the temperature with the least cross-entropy; above 1 the model is overconfident.

    One number for all labels: no image's rank changes, so that no AUROC does.

    Args:
        probabilities: of known findings, in any shape.
        present: the same shape.

    Raises:
        ValueError: all are present, or none: no temperature is the best then.

    Source: Guo et al. 2017, arXiv:1706.04599, 4.2, for sigmoids in place of a softmax.
    """
    if present.all() or not present.any():
        rule = "A temperature needs findings that are present and some that are absent."
        raise ValueError(f"{rule} Received: {present.size} of one kind.")
    logits = _logits(probabilities)

    def cross_entropy(sharpness: float) -> float:  # Convex in 1/T: one minimum.
        z = logits * sharpness
        return float(np.mean(np.logaddexp(0, z) - present * z))

    best = minimize_scalar(cross_entropy, bounds=(1 / FLATTEST, 1 / SHARPEST), method="bounded")
    return float(1 / best.x)


def cross_fitted(scored: Scored) -> Floats:
    """Return probabilities [N, L], each half of the patients scaled by what the other half gave.

    So that no image is judged by a temperature that it helped to choose. Raises ValueError as
    `temperature` does.
    """
    found = np.empty_like(scored.probabilities)
    half = scored.patient % 2 == 0
    for judged, fitted in ((half, ~half), (~half, half)):
        found[judged] = scaled(scored.probabilities[judged], of_known(scored.rows(fitted)))
    return found


def of_known(scored: Scored) -> float:
    """Return the temperature for all known findings; raise ValueError as `temperature` does."""
    return temperature(scored.probabilities[scored.known], scored.present[scored.known])


def _logits(probabilities: Floats) -> NDArray[np.float64]:
    found: NDArray[np.float64] = logit(np.clip(probabilities, NEAREST, 1 - NEAREST))
    return found
