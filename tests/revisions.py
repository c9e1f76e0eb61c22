"""What must be true of predictions over changes of control, whatever bus they came over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from chexnet.experiments import decisions
from chexnet.experiments.assignment import assign
from chexnet.messages import Control, Prediction
from chexnet.steps.ports import Bus


def assert_each_is_its_revisions(bus: Bus, model: str, said: Iterable[Prediction]) -> None:
    """Assert that each prediction has the version that its revision's control gives its unit."""
    controls = {e.after: e.control for e in decisions.history(bus, model) if e.control}
    for p in said:
        assert assign(controls[p.revision], p.unit).answer == (p.arm, p.version)


def assert_routers_follow(
    said: Sequence[Prediction], control: Control, readable: datetime, routers: int
) -> None:
    """Assert that an older revision answers nothing but the batch that each router had in hand.

    A router reads control to its end before each batch, and a batch is one call for each version,
    whose predictions have its seconds in common.

    Args:
        said: the predictions.
        control: the new one.
        readable: a moment from which on every look at control finds it.
        routers: how many there are.
    """
    late = [p for p in said if p.predicted_at > readable and p.revision < control.revision]
    for version in {p.version for p in late}:
        assert len({p.seconds for p in late if p.version == version}) <= routers
