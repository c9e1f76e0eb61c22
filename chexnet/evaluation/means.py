"""Means over images, patients as clusters: sensitivity, precision, boxes found, false alarms."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from chexnet.evaluation.delong import Estimate, Interval, interval, logit_interval
from chexnet.evaluation.scored import Bools, Floats

Patients = NDArray[np.intp]


def proportion(hit: Bools, patient: Patients, confidence: float) -> Interval:
    """Return the share of rows that are `hit`, with an interval on the logit scale.

    Args:
        hit: [n].
        patient: [n] whose row it is: rows of a patient are not independent.
        confidence: of the interval.

    Raises:
        ValueError: with rows of fewer than two patients, where no variance exists.

    Source: the ratio estimator of Cochran 1977, Sampling Techniques, 3.12, with patients as
    clusters. Where all rows or none are hit, the bound is Clopper and Pearson's for so many
    patients.
    """
    return logit_interval(_estimate(hit.astype(float), patient), confidence)


def average(
    values: Floats, patient: Patients, confidence: float, weight: Floats | None = None
) -> Interval:
    """Return the (weighted) mean of rows, with a symmetric interval; raise as `proportion` does."""
    return interval(_estimate(values, patient, weight), confidence)


def _estimate(values: Floats, patient: Patients, weight: Floats | None = None) -> Estimate:
    names, number = np.unique(patient, return_inverse=True)
    count = len(names)
    if count < 2:
        rule = "A mean with an interval needs images of 2 patients."
        raise ValueError(f"{rule} Received: {count}. Leave it out, or collect more.")
    weight = np.ones(len(values)) if weight is None else weight
    mean = float(weight @ values / weight.sum())
    influence = np.bincount(number, weight * (values - mean), minlength=count) / weight.sum()
    return Estimate(mean, influence * math.sqrt(count / (count - 1)), count)
