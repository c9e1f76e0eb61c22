"""From the record to cases: which images of an experiment count, and what is known of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

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
    assisted: int  # Reads that don't count, as the reader had seen an output.


class Cases(Struct, frozen=True):
    """The images of one arm: a row each, a column for each label."""

    patient: NDArray[np.intp]
    scores: NDArray[np.float64]  # NaN where the version does not know the label.
    truth: NDArray[np.int8]


class Sample(Struct, frozen=True, kw_only=True):
    """What two arms are compared on. Their patients are numbered together."""

    labels: tuple[str, ...]
    patients: int
    champion: Cases
    challenger: Cases
    counts: Counts


class Truth(Struct):
    """What readers that count said of one image; the newest word on each label."""

    findings: dict[str, Presence]
    protocols: set[Literal["blinded", "reference"]]


class _Image(Struct, frozen=True):
    unit: str
    image_id: str
    said: dict[str, Prediction]  # Arm → prediction.


def truths(feedback: Iterable[Feedback]) -> dict[str, Truth]:
    """Return image id → what is known of it, from blinded and reference reads only.

    A read that counts is replaced only by one that counts too. If an assisted correction could
    take a blinded read away, the cases lost would be those where reader and model disagreed.
    """
    counted = [f for f in feedback if f.protocol != "assisted"]
    replaced = {f.supersedes for f in counted}
    known: dict[str, Truth] = {}
    for read in sorted(counted, key=lambda f: (f.recorded_at, f.feedback_id)):
        if read.feedback_id in replaced or read.protocol == "assisted":
            continue
        truth = known.setdefault(read.image_id, Truth({}, set()))
        truth.protocols.add(read.protocol)
        truth.findings |= {k: v for k, v in read.findings.items() if v != "not_assessed"}
    return known


def gather(
    experiment: Experiment,
    versions: Mapping[str, int],
    predictions: Iterable[Prediction],
    feedback: Iterable[Feedback],
    training: Collection[str],
) -> Sample:
    """Return what the champion and one challenger can be compared on.

    Args:
        experiment: the one that the predictions were made in.
        versions: of `champion` and of the challenger's arm.
        predictions: answers and shadows; those of other experiments and arms are left alone.
        feedback: all reads.
        training: the units and image ids that either version was trained on.

    Returns:
        One case per image: that of its first upload which every arm in question has seen.
    """
    feedback = list(feedback)
    images, unpaired = _images(experiment, versions, predictions)
    fresh = [i for i in images if i.unit not in training and i.image_id not in training]
    known = truths(feedback)
    read = [i for i in fresh if i.image_id in known]
    protocols = [p for i in read for p in known[i.image_id].protocols]
    counts = Counts(
        images=len(images),
        unpaired=unpaired,
        trained_images=len(images) - len(fresh),
        trained_patients=len({i.unit for i in images} - {i.unit for i in fresh}),
        unread=len(fresh) - len(read),
        blinded=protocols.count("blinded"),
        reference=protocols.count("reference"),
        assisted=sum(f.protocol == "assisted" for f in feedback),
    )
    labels = tuple(dict.fromkeys(k for i in read for p in i.said.values() for k in p.probabilities))
    patients = {unit: n for n, unit in enumerate(sorted({i.unit for i in read}))}
    (challenger,) = set(versions) - {CHAMPION}
    arms = {
        arm: _cases([i for i in read if arm in i.said], arm, labels, patients, known)
        for arm in (CHAMPION, challenger)
    }
    return Sample(
        labels=labels,
        patients=len(patients),
        champion=arms[CHAMPION],
        challenger=arms[challenger],
        counts=counts,
    )


def _images(
    experiment: Experiment, versions: Mapping[str, int], predictions: Iterable[Prediction]
) -> tuple[list[_Image], int]:
    """Return each image's first upload that counts, and how many uploads have no shadow."""
    uploads: dict[str, dict[str, Prediction]] = {}
    for p in predictions:
        if p.experiment == experiment.name and versions.get(p.arm) == p.version:
            uploads.setdefault(p.upload_id, {})[p.arm] = p
    needed = len(versions) if experiment.design == "shadow" else 1
    whole = [said for said in uploads.values() if len(said) >= needed]
    first: dict[str, _Image] = {}
    for said in sorted(whole, key=_uploaded):
        one = next(iter(said.values()))
        first.setdefault(one.image_id, _Image(one.unit, one.image_id, said))
    return list(first.values()), len(uploads) - len(whole)


def _uploaded(said: Mapping[str, Prediction]) -> tuple[object, str]:
    one = next(iter(said.values()))
    return one.uploaded_at, one.upload_id


def _cases(
    images: list[_Image],
    arm: str,
    labels: tuple[str, ...],
    patients: Mapping[str, int],
    known: Mapping[str, Truth],
) -> Cases:
    shape = (len(images), len(labels))
    scores, truth = np.full(shape, np.nan), np.full(shape, UNKNOWN, np.int8)
    for row, image in enumerate(images):
        said, findings = image.said[arm].probabilities, known[image.image_id].findings
        for column, label in enumerate(labels):
            scores[row, column] = said.get(label, np.nan)
            truth[row, column] = CODES.get(findings.get(label, "not_assessed"), UNKNOWN)
    patient = np.array([patients[image.unit] for image in images], np.intp)
    return Cases(patient, scores, truth)
