"""The images of an experiment: who saw each first, whether it was to be read, which reads count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import Struct

from chexnet.experiments import worklist
from chexnet.experiments.exposures import Accrued
from chexnet.experiments.truths import assessed
from chexnet.messages import Experiment, Feedback, Prediction

Thresholds = Mapping[int, Mapping[str, float]]  # Version → label → threshold.
Order = tuple[datetime, datetime, str]
NEAR = 1e-9  # A propensity on record is the one that is worked out again, but for rounding.


class Image(Struct, frozen=True):
    """One image that the arms in question have seen.

    Args:
        order: when its patient entered, or without a lag, when the last of the predictions was
            made; then by the upload.
        made: when the last of the predictions was made.
        unit: whose it is.
        image_id: its own.
        said: arm → what was predicted.
        propensity: with which the worklist included it: 1 without a worklist, None where it is not
            on the list.
    """

    order: Order
    made: datetime
    unit: str
    image_id: str
    said: dict[str, Prediction]
    propensity: float | None


def images_of(
    experiment: Experiment,
    versions: Mapping[str, int],
    accrued: Accrued,
    thresholds: Thresholds,
) -> tuple[list[Image], int]:
    """Return each image's first upload that counts, in order, and the uploads without a shadow.

    First is by `Image.order`, to which what comes later adds behind: an upload that is answered
    late takes no image from one that was answered before.
    """
    uploads: dict[str, dict[str, Prediction]] = {}
    for p in accrued.predictions:
        if p.experiment == experiment.name and versions.get(p.arm) == p.version:
            uploads.setdefault(p.upload_id, {})[p.arm] = p
    needed = len(versions) if experiment.design == "shadow" else 1
    whole = [_image(experiment, said, accrued, thresholds) for said in uploads.values()]
    whole = [image for image in whole if len(image.said) >= needed]
    first: dict[str, Image] = {}
    for image in sorted(whole, key=lambda image: image.order):
        first.setdefault(image.image_id, image)
    return list(first.values()), len(uploads) - len(whole)


def counting(
    experiment: Experiment, images: Iterable[Image], feedback: Iterable[Feedback]
) -> list[Feedback]:
    """Return the reads that count: of these images, of any finding, by nobody who saw an output.

    Besides, those that only take an earlier one back. With a worklist only images that it included
    are read, by who found them there, or by a reference: what else was read had another chance,
    which nobody knows.
    """
    chance = {image.image_id: image.propensity for image in images}
    return [
        f
        for f in feedback
        if f.protocol != "assisted"
        and (assessed(f) or f.supersedes)
        and (listed := chance.get(f.image_id)) is not None
        and (not experiment.worklist or f.protocol == "reference" or _same(f, listed))
    ]


def _same(read: Feedback, listed: float) -> bool:
    return read.propensity is not None and abs(read.propensity - listed) < NEAR


def _image(
    experiment: Experiment,
    said: dict[str, Prediction],
    accrued: Accrued,
    thresholds: Thresholds,
) -> Image:
    one = next(iter(said.values()))
    made = max(p.predicted_at for p in said.values())
    entered = accrued.entered.get(one.unit)
    return Image(
        order=(entered or made, one.uploaded_at, one.upload_id),
        made=made,
        unit=one.unit,
        image_id=one.image_id,
        said=said,
        propensity=_propensity(said, thresholds) if experiment.worklist else 1.0,
    )


def _propensity(said: Mapping[str, Prediction], thresholds: Thresholds) -> float | None:
    """Return with which probability the worklist included an image, by the answer to its upload."""
    for p in said.values():
        if p.kind == "answer":
            known = thresholds.get(p.version, {})
            return worklist.drawn(p.model, p.image_id, p.probabilities, known)
    return None
