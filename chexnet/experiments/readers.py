"""What can be said of the reads themselves: their agreement, and what assisted ones would say."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable

import numpy as np
from msgspec import Struct, structs

from chexnet.experiments.cases import gather
from chexnet.experiments.comparison import Comparison, compare
from chexnet.experiments.statistics.agreement import fleiss
from chexnet.messages import Experiment, Feedback, Prediction


class Agreement(Struct, frozen=True, kw_only=True):
    """How far blinded readers agree on one label. Assisted ones agree with what they were shown.

    Args:
        images: that two readers or more called present or absent.
        kappa: Fleiss's; None where there is no such image, or all reads say the same.
    """

    images: int
    kappa: float | None


def agreement(feedback: Iterable[Feedback]) -> dict[str, Agreement]:
    """Return label → the agreement on it, of each reader's newest blinded word on each image."""
    words: dict[tuple[str, str, str], str] = {}
    for read in sorted(feedback, key=lambda f: (f.recorded_at, f.feedback_id)):
        if read.protocol == "blinded":
            said = {k: v for k, v in read.findings.items() if v in {"present", "absent"}}
            words |= {(label, read.image_id, read.reader): word for label, word in said.items()}
    counts: dict[str, dict[str, Counter[str]]] = {}
    for (label, image, _), word in words.items():
        counts.setdefault(label, {}).setdefault(image, Counter())[word] += 1
    return {label: _agreement(list(images.values())) for label, images in sorted(counts.items())}


def _agreement(images: list[Counter[str]]) -> Agreement:
    table = np.array([[count["present"], count["absent"]] for count in images])
    kappa = fleiss(table)
    return Agreement(
        images=int((table.sum(axis=1) > 1).sum()), kappa=None if math.isnan(kappa) else kappa
    )


def assisted(
    experiment: Experiment,
    arm: str,
    versions: dict[str, int],
    predictions: Iterable[Prediction],
    feedback: Iterable[Feedback],
    training: Collection[str],
) -> Comparison | None:
    """Return the comparison by assisted reads alone, which decides nothing; None without any.

    A reader who was shown an output leans towards it, so that the version shown looks better than
    it is: docs/statistics.md has a simulation. It is reported to be seen, never to be acted on.
    """
    reads = [
        structs.replace(read, protocol="blinded")
        for read in feedback
        if read.protocol == "assisted"
    ]
    if not reads:
        return None
    plain = structs.replace(experiment, metric="macro_auroc", worklist=False, lag_days=None)
    sample = gather(plain, versions, predictions, reads, training)
    return compare(sample, plain, arm, versions, {})
