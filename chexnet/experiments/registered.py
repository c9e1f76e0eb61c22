"""An experiment on record: all that its report needs besides what was predicted and read."""

from __future__ import annotations

from chexnet import release as releases
from chexnet.experiments import decisions
from chexnet.messages import Control, Experiment, Record, Release
from chexnet.steps.ports import Store

REPO = "experiments"
FILE = "experiment.json"


class Registered(Record, frozen=True, kw_only=True):
    """The file `/<name>/experiment.json`.

    Args:
        control: as it was, with the experiment.
        releases: version, as JSON has its keys → its record, of each arm and the champion.
        training_units: version → the units and images that it was trained on.
    """

    schema: str = "experiment/1"
    control: Control
    releases: dict[str, Release]
    training_units: dict[str, tuple[str, ...]]

    @property
    def experiment(self) -> Experiment:
        """What is compared; raise Refused if control has none."""
        return decisions.running(self.control)

    def trained(self, *versions: int) -> set[str]:
        """Return the units and images that one of `versions` was trained on."""
        return {unit for version in versions for unit in self.training_units.get(str(version), ())}


def register(store: Store, control: Control) -> Registered:
    """Return the running experiment with the releases that it compares.

    Raises:
        NotFound: a version's release record or card is not in the store.
    """
    versions = [v for v in (control.champion, *control.arms.values()) if v]
    known = {str(v): releases.read(store, v) for v in versions}
    trained = {v: releases.card(store, record).training_units for v, record in known.items()}
    return Registered(control=control, releases=known, training_units=trained)
