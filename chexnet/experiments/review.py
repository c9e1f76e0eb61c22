"""The state of the running experiment: what was observed, what it shows, what is missing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from chexnet.experiments import decisions, gate
from chexnet.experiments.cases import Sample, gather
from chexnet.experiments.comparison import Comparison, compare
from chexnet.experiments.observed import Observed, observe
from chexnet.experiments.registered import Registered, register
from chexnet.messages import CHAMPION, Control, Experiment
from chexnet.steps.ports import Bus, Store


class Finding(Struct, frozen=True, kw_only=True):
    """What one challenger has shown. `missing`: why its promotion would be refused on evidence."""

    comparison: Comparison
    missing: tuple[str, ...]
    sample: Sample

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it, without the cases."""
        comparison: dict[str, Any] = msgspec.to_builtins(self.comparison)
        return {"comparison": comparison, "missing": list(self.missing)}


class Review(Struct, frozen=True, kw_only=True):
    """All challengers of the running experiment, under one control and one set of records."""

    control: Control
    experiment: Experiment
    arms: dict[str, Finding]
    read_to: dict[str, int | str]

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "revision": self.control.revision,
            "experiment": msgspec.to_builtins(self.experiment),
            "exposure": self.control.exposure,
            "versions": {CHAMPION: self.control.champion, **self.control.arms},
            "arms": {arm: finding.plain() for arm, finding in self.arms.items()},
            "read_to": self.read_to,
        }


def review(bus: Bus, store: Store, control: Control, *, until: datetime) -> Review:
    """Return what the running experiment shows.

    Raises:
        Refused: none is running.
        NotFound: a version's release record or card is not in the store.
    """
    since = decisions.running(control).started_at
    observed = observe(bus, store, since=since, until=until)
    return examine(register(store, control), observed)


def examine(registered: Registered, observed: Observed) -> Review:
    """Return what an experiment shows on this record."""
    control, experiment = registered.control, registered.experiment
    arms = {}
    for arm, version in control.arms.items():
        versions = {CHAMPION: control.champion or 0, arm: version}
        training = registered.trained(*versions.values())
        sample = gather(experiment, versions, observed.predictions, observed.feedback, training)
        comparison = compare(sample, experiment, arm, versions)
        missing = gate.unproven(comparison, experiment)
        missing += gate.unevaluated(registered.releases[str(version)])
        arms[arm] = Finding(comparison=comparison, missing=tuple(missing), sample=sample)
    return Review(control=control, experiment=experiment, arms=arms, read_to=observed.read_to)
