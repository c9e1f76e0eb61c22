"""What a decision rests on: evidence, and whether a version can take a role."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chexnet import release as releases
from chexnet.adapters.tf_serving.golden import Golden
from chexnet.experiments import gate, readiness
from chexnet.messages import Control
from chexnet.models.base import INPUT
from chexnet.steps.ports import Bus, Store


def golden(store: Store, version: int) -> Golden:
    """Return what a version must answer, as it was committed."""
    record = releases.read(store, version)
    arrays = releases.golden(store, record)
    return Golden(arrays.pop(INPUT), arrays, record.labels)


def unready(store: Store, replicas: readiness.Replicas, *versions: int) -> list[str]:
    """Return what keeps these versions from taking a role."""
    return [
        sentence
        for version in versions
        for sentence in readiness.missing(version, replicas, golden(store, version))
    ]


def evidence(
    bus: Bus, store: Store, control: Control, version: int, *, until: datetime
) -> tuple[list[str], dict[str, Any]]:
    """Return what the evidence for a version lacks, and the evidence."""
    from chexnet.experiments.review import review

    arm = next((name for name, v in control.arms.items() if v == version), None)
    if arm is None:
        missing = gate.unevaluated(releases.read(store, version))
        return missing + gate.uncompared(version, control), {}
    found = review(bus, store, control, until=until)
    return list(found.arms[arm].missing), {**found.arms[arm].plain(), "read_to": found.read_to}
