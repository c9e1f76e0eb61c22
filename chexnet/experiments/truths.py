"""What is known of images, from the reads that count. Free of statistics: services import it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from chexnet.messages import Feedback, Presence


class Truth(Struct):
    """What readers that count said of one image; the newest word on each label."""

    findings: dict[str, Presence]
    protocols: set[Literal["blinded", "reference"]]


def once(feedback: Iterable[Feedback]) -> list[Feedback]:
    """Return each read once, the earliest record of it: what was known stays known since then.

    A table that is imported again makes the same reads, and records them at a later moment.
    """
    earliest: dict[str, Feedback] = {}
    for read in feedback:
        kept = earliest.setdefault(read.feedback_id, read)
        if read.recorded_at < kept.recorded_at:
            earliest[read.feedback_id] = read
    return list(earliest.values())


def assessed(read: Feedback) -> bool:
    """Say whether a read says anything of its image."""
    return any(said != "not_assessed" for said in read.findings.values())


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
