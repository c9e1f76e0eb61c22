"""When each patient was first seen in an experiment, and by which arm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from chexnet.errors import Refused
from chexnet.experiments.assignment import shares
from chexnet.experiments.statistics.ratio import Ratio, Stage, ratio
from chexnet.messages import Experiment, Feedback, Prediction

ALARM = 0.01  # The probability that the sample-ratio test ever alarms where nothing is wrong.


class First(Struct, frozen=True, order=True):
    """A patient's first image in an experiment, as it was answered."""

    at: datetime
    upload_id: str
    arm: str
    revision: int


class Accrued(Struct, frozen=True, kw_only=True):
    """The records that count by now.

    Args:
        predictions, feedback: that count.
        entered: unit → the moment from which nothing of the patient changes; empty without a lag.
        waiting: patients whose lag is not over.
        ahead: reads that a clock ahead of the others dated after now.
    """

    predictions: list[Prediction]
    feedback: list[Feedback]
    entered: dict[str, datetime]
    waiting: int
    ahead: int


def first_exposures(experiment: Experiment, predictions: Iterable[Prediction]) -> dict[str, First]:
    """Return unit → its first exposure, by the time of the image; in shadow its arm is any.

    With a lag that is the first of the images that were predicted within it: one that is replayed
    from the dead letters later would move the exposure of a patient who has entered.
    """
    firsts: dict[str, First] = {}
    for p in predictions:
        if p.experiment == experiment.name and _in_time(experiment, p):
            one = First(p.uploaded_at, p.upload_id, p.arm, p.revision)
            firsts[p.unit] = min(one, firsts.get(p.unit, one))
    return firsts


def _in_time(experiment: Experiment, p: Prediction) -> bool:
    if experiment.lag_days is None:
        return True
    return p.predicted_at <= p.uploaded_at + timedelta(days=experiment.lag_days)


def accrue(
    experiment: Experiment,
    predictions: Iterable[Prediction],
    feedback: Iterable[Feedback],
    until: datetime | None = None,
) -> Accrued:
    """Return the records that count by now.

    A patient enters when the lag is over since the first image, with what was predicted and read of
    the patient by then; what comes later counts no more. So a patient who has entered stays as he
    is, and each look sees what an earlier one saw, and more behind it. Without a lag all counts as
    it comes.

    Args:
        experiment: with its lag.
        predictions: of any experiment.
        feedback: all reads.
        until: 'now' is the newest moment on record, but no later than this: a clock that is ahead
            must not end everybody's lag. None for a record that ends by itself.
    """
    latest = until or datetime.max.replace(tzinfo=UTC)
    everything = list(feedback)
    predictions = [p for p in predictions if p.predicted_at <= latest]
    reads = [f for f in everything if f.recorded_at <= latest]
    ahead = len(everything) - len(reads)
    if experiment.lag_days is None:
        return Accrued(predictions=predictions, feedback=reads, entered={}, waiting=0, ahead=ahead)
    lag = timedelta(days=experiment.lag_days)
    firsts = first_exposures(experiment, predictions)
    moments = [p.predicted_at for p in predictions] + [f.recorded_at for f in reads]
    now = max(moments, default=datetime.min.replace(tzinfo=UTC))
    entered = {u: f.at + lag for u, f in firsts.items() if f.at + lag <= now}
    kept = [p for p in predictions if p.unit in entered and p.predicted_at <= entered[p.unit]]
    closed: dict[str, datetime] = {}
    for p in kept:
        closed[p.image_id] = min(entered[p.unit], closed.get(p.image_id, entered[p.unit]))
    return Accrued(
        predictions=kept,
        feedback=[f for f in reads if f.image_id in closed and f.recorded_at <= closed[f.image_id]],
        entered=entered,
        waiting=len(firsts) - len(entered),
        ahead=ahead,
    )


def sample_ratio(
    experiment: Experiment, exposures: Mapping[int, float], predictions: Iterable[Prediction]
) -> Ratio | None:
    """Test whether patients came to the arms in their shares; None where there are no shares.

    That is in shadow, and in records from before exposures were kept with them.

    Args:
        experiment: a split.
        exposures: revision → exposure, of all revisions of the experiment.
        predictions: of any experiment. A patient's first is the one that was made first, whatever
            image it is of: so a replay changes no count.

    Raises:
        Refused: a prediction has a revision that is none of these.
    """
    if experiment.design == "shadow" or not exposures:
        return None
    seen: dict[float, Counter[str]] = {exposure: Counter() for exposure in exposures.values()}
    firsts: dict[str, Prediction] = {}
    for p in predictions:
        if p.experiment == experiment.name:
            firsts[p.unit] = min(p, firsts.get(p.unit, p), key=_made)
    for p in firsts.values():
        seen[exposure_of(exposures, p.revision)][p.arm] += 1
    stages = []
    for exposure, patients in sorted(seen.items()):
        given = {arm: share for arm, share in shares(experiment, exposure).items() if share > 0}
        stages.append(Stage(exposure=exposure, shares=given, patients=dict(patients)))
    return ratio(stages, ALARM)


def exposure_of(exposures: Mapping[int, float], revision: int) -> float:
    """Return the exposure of a revision; raise Refused where the record does not know it."""
    if revision not in exposures:
        rule = "Each prediction of an experiment must be of a revision that is on record for it."
        known = ", ".join(map(str, sorted(exposures))) or "none"
        todo = "Put the experiment on record again: chexnet experiment report"
        raise Refused(f"{rule} Received: revision {revision} beside {known}. {todo}")
    return exposures[revision]


def _made(p: Prediction) -> tuple[datetime, str]:
    return p.predicted_at, p.upload_id
