"""From the record to cases: which images of an experiment count, and what is known of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from chexnet.experiments.exposures import Accrued, First, accrue, first_exposures
from chexnet.experiments.images import Image, Thresholds, counting, images_of
from chexnet.experiments.truths import Truth, assessed, truths
from chexnet.messages import CHAMPION, Experiment, Feedback, Prediction, Presence

ABSENT, PRESENT, UNSURE, UNKNOWN = 0, 1, 2, 3  # In Cases.truth.
CODES: dict[Presence, int] = {"absent": ABSENT, "present": PRESENT, "unsure": UNSURE}


class Counts(Struct, frozen=True, kw_only=True):
    """What became of the images that the experiment saw."""

    images: int  # Seen by the arms in question.
    unpaired: int  # Uploads without a shadow: not included, or it has not come yet.
    trained_images: int  # Left out: an arm was trained on the image or its patient.
    trained_patients: int
    unread: int  # Left out: no blinded or reference read.
    blinded: int  # Cases by the protocol of their reads; one may have both.
    reference: int
    assisted: int  # Reads of these images that don't count, as the reader had seen an output.
    waiting: int = 0  # Patients whose lag is not over.
    unplanned: int = 0  # Cases after the planned ones, which the fixed metric leaves out.
    unweighted: int = 0  # Reads that don't count, as they did not come from the worklist.
    ahead: int = 0  # Reads that don't count yet: a clock that is ahead has dated them.


class Cases(Struct, frozen=True):
    """The images of one arm: a row each, a column for each label."""

    patient: NDArray[np.intp]
    scores: NDArray[np.float64]  # NaN where the version does not know the label.
    truth: NDArray[np.int8]
    propensity: NDArray[np.float64]  # Of the worklist; 1 without one.
    images: NDArray[np.intp]  # [patients] that the arm saw, read or not.
    listed: NDArray[np.intp]  # [patients] of those, how many are to be read; without a list, all.


class Sample(Struct, frozen=True, kw_only=True):
    """What two arms are compared on. Their patients are numbered together, as they first came."""

    labels: tuple[str, ...]
    patients: int
    firsts: tuple[First, ...]  # Of the patients, by number.
    champion: Cases
    challenger: Cases
    counts: Counts


class _Planned(Struct, frozen=True):
    """The cases of an arm, in the order in which they count, and what is known of them."""

    images: list[Image]
    known: Mapping[str, Truth]


def gather(
    experiment: Experiment,
    versions: Mapping[str, int],
    predictions: Iterable[Prediction],
    feedback: Iterable[Feedback],
    training: Collection[str],
    *,
    thresholds: Thresholds | None = None,
    until: datetime | None = None,
) -> Sample:
    """Return what the champion and one challenger can be compared on.

    Args:
        experiment: the one that the predictions were made in.
        versions: of `champion` and of the challenger's arm.
        predictions: answers and shadows; those of other experiments and arms are left alone.
        feedback: all reads, each once.
        training: the units and image ids that either version was trained on.
        thresholds: version → label → threshold, by which a worklist was drawn.
        until: the moment of the look; see `exposures.accrue`.

    Returns:
        One case per image: that of its first upload which every arm in question has seen. With a
        lag, what had accrued by then.
    """
    everything = list(feedback)
    accrued = accrue(experiment, predictions, everything, until)
    images, unpaired = images_of(experiment, versions, accrued, thresholds or {})
    fresh = [i for i in images if i.unit not in training and i.image_id not in training]
    counted = counting(experiment, fresh, accrued.feedback)
    (challenger,) = set(versions) - {CHAMPION}
    read = {f.image_id for f in counted if assessed(f)}
    cases = [i for i in fresh if i.image_id in read]
    planned = {
        arm: _planned(experiment, [i for i in cases if arm in i.said], counted, accrued)
        for arm in (CHAMPION, challenger)
    }
    labels = tuple(
        dict.fromkeys(k for i in cases for p in i.said.values() for k in p.probabilities)
    )
    firsts = first_exposures(experiment, accrued.predictions)
    units = sorted({i.unit for i in fresh}, key=lambda unit: (firsts[unit], unit))
    patients = {unit: n for n, unit in enumerate(units)}
    arms = {arm: _cases(fresh, of, arm, labels, patients) for arm, of in planned.items()}
    decided = {i.image_id: of.known.get(i.image_id) for of in planned.values() for i in of.images}
    protocols = [protocol for truth in decided.values() if truth for protocol in truth.protocols]
    seen = {i.image_id for i in images}
    counts = Counts(
        images=len(images),
        unpaired=unpaired,
        trained_images=len(images) - len(fresh),
        trained_patients=len({i.unit for i in images} - {i.unit for i in fresh}),
        unread=len(fresh) - len(cases),
        blinded=protocols.count("blinded"),
        reference=protocols.count("reference"),
        assisted=sum(f.protocol == "assisted" and f.image_id in seen for f in everything),
        waiting=accrued.waiting,
        unplanned=len(cases) - len(decided),
        unweighted=_unweighted(experiment, fresh, accrued.feedback, counted),
        ahead=accrued.ahead,
    )
    return Sample(
        labels=labels,
        patients=len(patients),
        firsts=tuple(firsts[unit] for unit in units),
        champion=arms[CHAMPION],
        challenger=arms[challenger],
        counts=counts,
    )


def _planned(
    experiment: Experiment, cases: list[Image], counted: list[Feedback], accrued: Accrued
) -> _Planned:
    """Return the cases that decide: a fixed sample is the first that were planned, and no more.

    With a lag these are in the order in which their patients entered. Without, in that of the
    moments at which each became a case, and what is known of them is what was known when the last
    of them did: so whoever looks later finds the same, whatever is read in between.
    """
    if experiment.metric == "brier":
        return _Planned(cases, truths(counted))
    if accrued.entered:
        return _Planned(cases[: experiment.min_cases], truths(counted))
    first: dict[str, datetime] = {}
    for read in counted:
        if assessed(read):
            at = first.get(read.image_id, read.recorded_at)
            first[read.image_id] = min(read.recorded_at, at)

    def became(image: Image) -> datetime:
        return max(image.made, first[image.image_id])

    planned = sorted(cases, key=lambda i: (became(i), i.order))[: experiment.min_cases]
    if len(planned) == experiment.min_cases:
        last = became(planned[-1])
        counted = [f for f in counted if f.recorded_at <= last]
    return _Planned(planned, truths(counted))


def _unweighted(
    experiment: Experiment,
    fresh: Iterable[Image],
    feedback: Iterable[Feedback],
    counted: Collection[Feedback],
) -> int:
    """Return how many blinded reads don't count, as they did not come from the worklist."""
    if not experiment.worklist:
        return 0
    seen = {i.image_id for i in fresh}
    blinded = sum(f.protocol == "blinded" and f.image_id in seen for f in feedback)
    return blinded - sum(f.protocol == "blinded" for f in counted)


def _cases(
    fresh: list[Image],
    planned: _Planned,
    arm: str,
    labels: tuple[str, ...],
    patients: Mapping[str, int],
) -> Cases:
    read, known = planned.images, planned.known
    shape = (len(read), len(labels))
    scores, truth = np.full(shape, np.nan), np.full(shape, UNKNOWN, np.int8)
    for row, image in enumerate(read):
        said, word = image.said[arm].probabilities, known.get(image.image_id)
        findings = word.findings if word else {}
        for column, label in enumerate(labels):
            scores[row, column] = said.get(label, np.nan)
            truth[row, column] = CODES.get(findings.get(label, "not_assessed"), UNKNOWN)
    own = [image for image in fresh if arm in image.said]
    seen = np.array([patients[i.unit] for i in own], np.intp)
    listed = np.array([patients[i.unit] for i in own if i.propensity is not None], np.intp)
    return Cases(
        patient=np.array([patients[image.unit] for image in read], np.intp),
        scores=scores,
        truth=truth,
        propensity=np.array([image.propensity for image in read], np.float64),
        images=np.bincount(seen, minlength=len(patients)),
        listed=np.bincount(listed, minlength=len(patients)),
    )
