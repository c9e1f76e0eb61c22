"""The state of the running experiment: what was observed, what it shows, what is missing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from chexnet.experiments import decisions, gate
from chexnet.experiments.cases import Sample, gather
from chexnet.experiments.comparison import Comparison, compare
from chexnet.experiments.exposures import sample_ratio
from chexnet.experiments.guarded import Guarded
from chexnet.experiments.observed import Observed, observe
from chexnet.experiments.readers import Agreement, agreement, assisted
from chexnet.experiments.registered import Registered, register
from chexnet.experiments.statistics.ratio import Ratio
from chexnet.messages import CHAMPION, Control, Experiment
from chexnet.steps.ports import Bus, Store


class Finding(Struct, frozen=True, kw_only=True):
    """What one challenger has shown. `missing`: why its promotion would be refused on evidence."""

    comparison: Comparison
    missing: tuple[str, ...]
    sample: Sample
    assisted: Comparison | None = None  # By assisted reads alone: biased, decides nothing.
    guarded: Guarded

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it, without the cases."""
        comparison: dict[str, Any] = msgspec.to_builtins(self.comparison)
        assisted = self.assisted and {
            "cases": self.assisted.cases,
            "difference": msgspec.to_builtins(self.assisted.difference),
        }
        return {
            "comparison": comparison,
            "missing": list(self.missing),
            "assisted": assisted,
            "guardrails": msgspec.to_builtins(self.guarded),
        }


class Review(Struct, frozen=True, kw_only=True):
    """All challengers of the running experiment, under one control and one set of records."""

    control: Control
    experiment: Experiment
    arms: dict[str, Finding]
    sample_ratio: Ratio | None  # None in shadow.
    agreement: dict[str, Agreement]  # Of readers, by label.
    read_to: dict[str, int | str]
    untold: tuple[int, ...] = ()  # Versions of unknown training patients: nobody is left out.

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "revision": self.control.revision,
            "experiment": msgspec.to_builtins(self.experiment),
            "exposure": self.control.exposure,
            "versions": {CHAMPION: self.control.champion, **self.control.arms},
            "arms": {arm: finding.plain() for arm, finding in self.arms.items()},
            "sample_ratio": msgspec.to_builtins(self.sample_ratio),
            "agreement": msgspec.to_builtins(self.agreement),
            "read_to": self.read_to,
            "untold": list(self.untold),
        }


def review(bus: Bus, store: Store, control: Control, *, until: datetime) -> Review:
    """Return what the running experiment shows.

    Raises:
        Refused: none is running.
        NotFound: a version's release record or card is not in the store.
    """
    since = decisions.running(control).started_at
    observed = observe(bus, store, since=since, until=until)
    return examine(register(bus, store, control, until=until), observed)


def examine(registered: Registered, observed: Observed) -> Review:
    """Return what an experiment shows on this record.

    Raises:
        Refused: a prediction is of a revision that the experiment is not known to have had.
    """
    control, experiment, until = registered.control, registered.experiment, registered.until
    predictions = [p for p in observed.predictions if until is None or p.predicted_at <= until]
    ratio = sample_ratio(experiment, registered.exposures, predictions)
    arms = {}
    for arm, version in control.arms.items():
        versions = {CHAMPION: control.champion or 0, arm: version}
        training = registered.trained(*versions.values())
        records = predictions, observed.feedback
        sample = gather(
            experiment,
            versions,
            *records,
            training,
            thresholds=registered.cut_points(*versions.values()),
            until=until,
        )
        comparison = compare(sample, experiment, arm, versions, registered.exposures)
        missing = gate.unproven(comparison, experiment) + gate.unshared(ratio)
        missing += gate.unevaluated(registered.releases[str(version)])
        known = registered.guarded.get(str(version), Guarded())
        missing += gate.unwatched(version, known)
        arms[arm] = Finding(
            comparison=comparison,
            missing=tuple(missing),
            sample=sample,
            assisted=assisted(experiment, arm, versions, *records, training),
            guarded=known,
        )
    seen = {p.image_id for p in predictions if p.experiment == experiment.name}
    return Review(
        control=control,
        experiment=experiment,
        arms=arms,
        sample_ratio=ratio,
        agreement=agreement(f for f in observed.feedback if f.image_id in seen),
        read_to=observed.read_to,
        untold=registered.untold,
    )
