"""An experiment on record: all that its report needs besides what was predicted and read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from chexnet import release as releases
from chexnet.errors import NotFound
from chexnet.experiments import decisions
from chexnet.experiments.guarded import Guarded, guarded
from chexnet.experiments.held import experiments
from chexnet.messages import Audit, Control, Experiment, Record, Release, decode_json
from chexnet.steps.ports import Bus, Store

REPO = "experiments"
FILE = "experiment.json"


class Registered(Record, frozen=True, kw_only=True):
    """The file `/<name>/experiment.json`.

    Args:
        control: as it was, with the experiment.
        releases: version, as JSON has its keys → its record, of each arm and the champion.
        training_units: version → the units and images that it was trained on.
        exposures: revision → exposure, of this experiment.
        thresholds: version → label → threshold, by which a worklist was drawn.
        until: when it ended, or was looked at: what came later is not in its report.
        guarded: version → what the guardian has on record of it.
    """

    schema: str = "experiment/1"
    control: Control
    releases: dict[str, Release]
    training_units: dict[str, tuple[str, ...]]
    exposures: Mapping[int, float] = {}
    thresholds: Mapping[str, dict[str, float]] = {}
    until: datetime | None = None
    guarded: Mapping[str, Guarded] = {}

    @property
    def experiment(self) -> Experiment:
        """What is compared; raise Refused if control has none."""
        return decisions.running(self.control)

    def trained(self, *versions: int) -> set[str]:
        """Return the units and images that one of `versions` was trained on."""
        return {unit for version in versions for unit in self.training_units.get(str(version), ())}

    @property
    def untold(self) -> tuple[int, ...]:
        """The versions of which nobody knows what they were trained on, as of imported weights."""
        return tuple(sorted(int(v) for v, units in self.training_units.items() if not units))

    def cut_points(self, *versions: int) -> dict[int, dict[str, float]]:
        """Return version → its thresholds; none for one whose card nobody has read."""
        return {version: self.thresholds.get(str(version), {}) for version in versions}


def register(bus: Bus, store: Store, control: Control, *, until: datetime) -> Registered:
    """Return the running experiment, as it is looked at now.

    Raises:
        NotFound: a version's release record or card is not in the store.
    """
    running = decisions.running(control)
    entries = list(decisions.history(bus, control.model))
    held = experiments(entries)[running.name]
    return _registered(store, control, entries, held.exposures, until)


def on_record(bus: Bus, store: Store, model: str, *, until: datetime) -> dict[str, bytes]:
    """Return the files of a model's experiments, each as it ended, that the store lacks.

    What was put there after its end is left as it is: a patient may have been forgotten since.

    Raises:
        NotFound: a version of the running experiment is not in the store.
    """
    files: dict[str, bytes] = {}
    entries = list(decisions.history(bus, model))
    for name, held in experiments(entries).items():
        path = f"/{name}/{FILE}"
        if held.until and _known(store, path) == held.until:
            continue
        try:
            made = _registered(store, held.control, entries, held.exposures, held.until or until)
        except NotFound:
            if held.until is None:
                raise
            continue  # A version of the past is gone: what was put on record of it stays.
        files[path] = made.encode()
    return files


def _known(store: Store, path: str) -> datetime | None:
    """Return up to when an experiment is on record."""
    if store.head(REPO) is None or not store.list(REPO, path):
        return None
    return decode_json(store.read(REPO, path), Registered).until


def _registered(
    store: Store,
    control: Control,
    entries: Iterable[Audit],
    exposures: Mapping[int, float],
    until: datetime,
) -> Registered:
    versions = [v for v in (control.champion, *control.arms.values()) if v]
    known = {str(v): releases.read(store, v) for v in versions}
    cards = {v: releases.card(store, record) for v, record in known.items()}
    return Registered(
        control=control,
        releases=known,
        training_units={v: card.training_units for v, card in cards.items()},
        exposures=exposures,
        thresholds={v: dict(card.thresholds) for v, card in cards.items()},
        until=until,
        guarded=guarded(control, entries),
    )
