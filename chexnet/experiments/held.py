"""Which experiments were held, and how each ended: read off the audit."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct, structs

from chexnet.experiments import decisions
from chexnet.experiments.champions import changes
from chexnet.messages import CHAMPION, Audit, Control, Experiment

Outcome = Literal["running", "promoted", "rolled back", "stopped"]
ENDS: dict[str, Outcome] = {"promote": "promoted", "rollback": "rolled back"}


class Held(Struct, frozen=True, kw_only=True):
    """One experiment.

    Args:
        control: as it stood last with it.
        exposures: revision → exposure, of all its revisions.
        ended: the decision that ended it; None while it runs.
    """

    control: Control
    exposures: dict[int, float]
    ended: Audit | None = None

    @property
    def experiment(self) -> Experiment:
        """What was compared."""
        return decisions.running(self.control)

    @property
    def design(self) -> str:
        """As its file calls it."""
        return "canary" if self.experiment.stages else self.experiment.design

    @property
    def until(self) -> datetime | None:
        """The moment of its end."""
        return self.ended.at if self.ended else None

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        return ENDS.get(self.ended.action, "stopped") if self.ended else "running"

    @property
    def promoted(self) -> str | None:
        """The arm that became champion, if one did."""
        after = self.ended.control if self.ended and self.ended.action == "promote" else None
        arms = {version: arm for arm, version in self.control.arms.items()}
        return arms.get(after.champion, CHAMPION) if after and after.champion else None

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "name": self.experiment.name,
            "design": self.design,
            "metric": self.experiment.metric,
            "versions": {CHAMPION: self.control.champion, **self.control.arms},
            "from": self.experiment.started_at.isoformat(),
            "until": self.until.isoformat() if self.until else None,
            "outcome": self.outcome,
            "promoted": self.promoted,
            "by": self.ended.decided_by if self.ended else None,
            "reason": self.ended.reason if self.ended else "",
        }


def experiments(entries: Iterable[Audit]) -> dict[str, Held]:
    """Return name → experiment, the first one first.

    Args:
        entries: the model's whole audit, oldest first.
    """
    found: dict[str, Held] = {}
    for before, entry in changes(entries):
        now = entry.control
        ran = before.experiment_name if before else None
        runs = now.experiment_name if now else None
        if ran and ran != runs:
            found[ran] = structs.replace(found[ran], ended=entry)
        if now is not None and runs:
            known = found[runs].exposures if runs in found else {}
            found[runs] = Held(control=now, exposures={**known, now.revision: now.exposure})
    return found
