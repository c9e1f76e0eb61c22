"""The patient bootstrap of ranking figures, for ten thousand resamples in seconds, and exactly.

To resample patients is to weight each patient's images by how often the patient was drawn. Images
are sorted once. What AUROC and average precision need of a resample is how many images without the
finding, and how many with it, stand above each image that has it; these are sums over patients of
draws times counts, so that a sparse matrix (places between positives x patients) times the matrix
of draws (patients x resamples) gives them for many resamples at once. All counts are whole or half
numbers below 2**24, which float32 holds exactly; sums of products are of float64.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.sparse import csr_array

from chexnet.evaluation.bootstrap import percentiles
from chexnet.evaluation.delong import Interval
from chexnet.evaluation.scored import Bools, Finding, Floats

Draws = NDArray[np.float32]  # [patients, resamples] how often each patient was drawn.
CHUNK = 32  # Resamples at once: a label then stays in a core's cache.


def draws(patients: int, rounds: int, seed: int) -> Iterator[Draws]:
    """Yield `rounds` resamples of patients with replacement, some at a time.

    The same seed gives the same resamples, whatever is computed of them.
    """
    rng = np.random.default_rng(seed)
    for start in range(0, rounds, CHUNK):
        count = min(CHUNK, rounds - start)
        drawn = rng.integers(patients, size=(count, patients))
        drawn += np.arange(count)[:, None] * patients
        counted = np.bincount(drawn.ravel(), minlength=count * patients)
        yield np.ascontiguousarray(counted.reshape(count, patients).T, np.float32)


class Ranking(Struct, frozen=True):
    """A finding's images in order of score, counted by patient; build it with `ranking`.

    A place is a distinct score that an image with the finding has; the highest comes first.

    Args:
        hits: [places, patients] images with the finding at the place.
        alarms: [places, patients] images without it at the place, or between it and the one before.
        tied: [places, patients] images without it at the place.
        without: [patients] all images without it.
    """

    hits: csr_array
    alarms: csr_array
    tied: csr_array
    without: NDArray[np.float32]

    def measure(self, drawn: Draws) -> tuple[Floats, Floats]:
        """Return AUROC and average precision of each resample; NaN where it has one side only.

        A tie counts one half in AUROC; in average precision it is one threshold.
        """
        hits: Draws = self.hits @ drawn
        called = np.cumsum(hits, axis=0, dtype=np.float32)
        alarms = np.cumsum(self.alarms @ drawn, axis=0, dtype=np.float32)
        with_it = called[-1].astype(np.float64)
        without = (self.without @ drawn).astype(np.float64)
        beaten_by = alarms - (self.tied @ drawn) / 2
        precision = called / np.maximum(called + alarms, 1)  # Before the first image: 0, not 0/0.
        with np.errstate(divide="ignore", invalid="ignore"):
            lost = np.einsum("kr,kr->r", hits, beaten_by, dtype=np.float64)
            area = 1 - lost / (with_it * without)
            average = np.einsum("kr,kr->r", hits, precision, dtype=np.float64) / with_it
        average[without == 0] = np.nan  # Of images with the finding alone it is 1 and says nothing.
        return area, average


def ranking(finding: Finding) -> Ranking:
    """Sort the images of a finding; raise ValueError where a side has none."""
    if finding.present.all() or not finding.present.any():
        raise ValueError("A ranking needs images with the finding and images without.")
    positive = np.unique(finding.scores[finding.present])[::-1]
    shape = (len(positive), finding.patients)
    # searchsorted on falling scores: the number of places that stand above.
    place = np.searchsorted(-positive, -finding.scores, side="left")
    inside = place < len(positive)  # What is below all places counts in `without` only.
    at = np.zeros(len(place), bool)
    at[inside] = positive[place[inside]] == finding.scores[inside]

    def counted(rows: Bools) -> csr_array:
        ones = np.ones(np.count_nonzero(rows), np.float32)
        return csr_array((ones, (place[rows], finding.patient[rows])), shape=shape)

    absent = ~finding.present
    return Ranking(
        hits=counted(finding.present),
        alarms=counted(absent & inside),
        tied=counted(absent & at),
        without=np.bincount(finding.patient[absent], minlength=finding.patients).astype(np.float32),
    )


class Agreement(Struct, frozen=True):
    """A finding's images at one threshold, counted by patient; build it with `agreement`.

    Args:
        hits: [patients] images with the finding that are called present.
        either: [patients] images with it, and images that are called present; hits count twice.
    """

    hits: NDArray[np.float32]
    either: NDArray[np.float32]

    def f1(self, drawn: Draws) -> Floats:
        """Return F1 of each resample; NaN where nothing is present and nothing is called so."""
        with np.errstate(invalid="ignore"):
            found: Floats = 2.0 * (self.hits @ drawn) / (self.either @ drawn).astype(np.float64)
        return found


def agreement(finding: Finding, threshold: float) -> Agreement:
    """Count the images of a finding that are called present from `threshold` on."""
    called = finding.scores >= threshold

    def counted(rows: Bools) -> NDArray[np.float32]:
        return np.bincount(finding.patient[rows], minlength=finding.patients).astype(np.float32)

    return Agreement(counted(called & finding.present), counted(called) + counted(finding.present))


def percentile_interval(value: float, found: Floats, confidence: float) -> Interval:
    """Return an estimate with its percentile interval; raise ValueError as `percentiles` does."""
    return Interval(value, *percentiles(found, confidence))
