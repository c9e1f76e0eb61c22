"""What a person decides: release, experiment, promote, roll back.

Each is one change of control with its audit, made from the control that was looked at.
"""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from msgspec import Struct, structs

from chexnet import topics
from chexnet.errors import BadInput, Refused, Stale
from chexnet.experiments import control as controls
from chexnet.experiments import gate
from chexnet.messages import (
    CHAMPION,
    PREVIOUS,
    Action,
    Audit,
    Control,
    Experiment,
    Holdback,
    decode,
    new_id,
)
from chexnet.steps.ports import Bus

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
TRIES = 5
MOST = 0.5  # Of the units may stay on the previous champion: more would not be a decision.


def is_name(text: str) -> bool:
    """Say whether an experiment or an arm may be called so; some arms have names already."""
    return NAME.fullmatch(text) is not None and text not in (CHAMPION, PREVIOUS)


class By(Struct, frozen=True, kw_only=True):
    """Who decides, when and why."""

    who: str
    at: datetime
    verified: bool = False  # Else nobody but the process itself says that it is this one.
    reason: str = ""
    force: bool = False

    @classmethod
    def person(
        cls,
        principal: str | None,
        at: datetime,
        reason: str = "",
        *,
        name: str = "",
        force: bool = False,
    ) -> By:
        """Return who sits here: whom the broker knows, else who said a name, else the OS user.

        Nobody verified the latter two.
        """
        who, verified = principal or name or getpass.getuser(), principal is not None
        return cls(who=who, at=at, verified=verified, reason=reason, force=force)


def keep(bus: Bus, model: str, version: int, by: By, evidence: Mapping[str, Any]) -> Control:
    """Keep a released version loaded, so that it may take a role. Twice is once.

    It takes no role from anyone, so it holds on any revision: a stale one is tried again.
    """
    for _ in range(TRIES):
        looked = controls.read(bus, model)
        if version in looked.loaded:
            return looked
        to = structs.replace(looked, keep=(*looked.keep, version))
        with suppress(Stale):
            return _decide(bus, looked, to, "release", by, evidence)
    raise Stale(f"Control of {model} was changed {TRIES} times while version {version} came in.")


def start(
    bus: Bus,
    looked: Control,
    experiment: Experiment,
    arms: Mapping[str, int],
    exposure: float,
    unready: Sequence[str],
    by: By,
) -> Control:
    """Start an experiment.

    Args:
        bus: of the pipeline.
        looked: the control that the decision is made on.
        experiment: what is compared, and how it will be decided.
        arms: the challengers' versions; the weights are of the same names.
        exposure: the share of units to include.
        unready: what keeps these versions from answering; see `readiness.missing`.
        by: who decides.

    Raises:
        Refused: a rule forbids it; Stale: control has changed.
    """
    _check_start(bus, looked, experiment, arms, exposure)
    if unready:
        raise Refused(" ".join(unready))
    waiting = tuple(v for v in looked.keep if v not in arms.values())
    to = structs.replace(
        looked,
        experiment=experiment,
        arms=dict(arms),
        exposure=exposure,
        keep=waiting,
        holdback=None,  # One comparison at a time.
    )
    return _decide(bus, looked, to, "start", by, {"experiment": structs.asdict(experiment)})


def expose(bus: Bus, looked: Control, exposure: float, by: By) -> Control:
    """Include more units. Fewer would move units out of their arm: that is a new experiment."""
    experiment = running(looked)
    if (experiment.design, experiment.metric, experiment.stages) == ("split", "macro_auroc", ()):
        rule = "A split that macro AUROC decides keeps its exposure, or time would decide too."
        todo = "Stop it, and start one of that exposure, or one that brier decides."
        raise Refused(f"{rule} Received: {exposure:g} after {looked.exposure:g}. {todo}")
    if not looked.exposure < exposure <= 1:
        rule = f"The exposure of a running experiment only grows, from {looked.exposure:g} up to 1."
        todo = "Stop this experiment and start a new one to include fewer."
        raise Refused(f"{rule} Received: {exposure:g}. {todo}")
    to = structs.replace(looked, exposure=exposure)
    return _decide(bus, looked, to, "expose", by, {"from": looked.exposure, "to": exposure})


def stop(bus: Bus, looked: Control, by: By, evidence: Mapping[str, Any]) -> Control:
    """Stop the experiment; the champion answers everyone."""
    running(looked)
    to = _without_experiment(looked, looked.champion, looked.previous)
    return _decide(bus, looked, to, "stop", by, evidence)


def promote(
    bus: Bus,
    looked: Control,
    version: int,
    unready: Sequence[str],
    unproven: Sequence[str],
    evidence: Mapping[str, Any],
    by: By,
    holdback: float = 0.0,
) -> Control:
    """Make `version` the champion.

    Args:
        bus: of the pipeline.
        looked: the control that the evidence was gathered under.
        version: the next champion.
        unready: what keeps it from answering; no force helps, since images would wait.
        unproven: what its evidence lacks; a forced decision passes over it, on record.
        evidence: what the decision rests on; goes into the audit with what was missing.
        by: who decides.
        holdback: the share of units that stays on the champion until now.

    Raises:
        Refused: something is missing; Stale: control has changed since the evidence was gathered.
    """
    if by.force and not by.reason:
        rule = "A forced promotion must say why, for the audit."
        raise Refused(f"{rule} Received: no reason. Give it with: --reason '…'")
    held = _holdback(looked, holdback)
    gate.require(version, [*unready, *(() if by.force else unproven)])
    to = structs.replace(_without_experiment(looked, version, looked.champion), holdback=held)
    return _decide(bus, looked, to, "promote", by, {**evidence, "missing": list(unproven)})


def _holdback(looked: Control, share: float) -> Holdback | None:
    if not share:
        return None
    if not 0 < share <= MOST:
        rule = f"The share that stays on the previous champion is above 0 and at most {MOST:g}."
        raise Refused(f"{rule} Received: {share:g}. Correct --holdback.")
    if looked.champion is None:
        rule = "A share can stay only on a champion that there is."
        raise Refused(f"{rule} Received: {share:g}, before the first. Leave out --holdback.")
    return Holdback(share=share, salt=new_id())


def end_holdback(bus: Bus, looked: Control, by: By) -> Control:
    """Give those whom a holdback left with the previous champion the champion too."""
    if looked.holdback is None:
        rule = "This ends a holdback."
        todo = "One begins with: chexnet promote VERSION --holdback 0.05"
        raise Refused(f"{rule} Received: revision {looked.revision}, with none. {todo}")
    to = structs.replace(looked, holdback=None)
    return _decide(bus, looked, to, "holdback", by, {"ended": structs.asdict(looked.holdback)})


def rollback(bus: Bus, looked: Control, unready: Sequence[str], by: By) -> Control:
    """Make the previous champion the champion again. It can't be done twice in a row.

    The version that is left stays loaded until the next decision, but only a promotion brings it
    back: two people who roll back at once must not undo each other.
    """
    if looked.previous is None:
        rule = "A rollback needs a previous champion."
        received = f"Received: revision {looked.revision} of {looked.model}, with none."
        raise Refused(f"{rule} {received} Promote a version instead: chexnet promote VERSION")
    if unready:
        raise Refused(" ".join(unready))
    to = _without_experiment(looked, looked.previous, None)
    return _decide(bus, looked, to, "rollback", by, {"from": looked.champion})


def running(looked: Control) -> Experiment:
    """Return the running experiment; raise Refused where there is none."""
    if looked.experiment is None:
        rule = "This needs a running experiment."
        todo = "Start one with: chexnet experiment start NAME --arm NAME=VERSION"
        raise Refused(f"{rule} Received: revision {looked.revision}, with none. {todo}")
    return looked.experiment


def history(bus: Bus, model: str) -> Iterator[Audit]:
    """Yield what was decided for `model`, oldest first, as far as this version can read it."""
    reader = bus.read([topics.AUDIT])
    try:
        for message in reader.to_end():
            if message.key == model:
                with suppress(BadInput):  # Of a newer version, or no audit: the chain names it.
                    yield decode(message, Audit)
    finally:
        reader.close()


def _check_start(
    bus: Bus, looked: Control, experiment: Experiment, arms: Mapping[str, int], exposure: float
) -> None:
    if looked.champion is None:
        rule = "An experiment compares challengers with a champion."
        raise Refused(f"{rule} Received: none. Give it one with: chexnet promote VERSION")
    if looked.experiment is not None:
        rule = "One experiment runs at a time."
        received = f"Received: {experiment.name!r} while {looked.experiment.name!r} runs."
        raise Refused(f"{rule} {received} End that with chexnet experiment stop, or promote.")
    for name in (experiment.name, *arms):
        if not is_name(name):
            rule = "The name of an experiment or arm has lower case letters, digits, . _ -, and is"
            taken = f"neither {CHAMPION!r} nor {PREVIOUS!r}"
            raise Refused(f"{rule} {taken}. Received: {name!r}. Choose another.")
    versions = list(arms.values())
    if not versions or len({*versions, looked.champion}) <= len(versions):
        rule = "Each arm needs a version of its own, other than the champion's."
        received = f"Received: {dict(arms)} beside champion {looked.champion}."
        raise Refused(f"{rule} {received} Give one or more: --arm NAME=VERSION")
    top = 1 if experiment.design == "shadow" else 0.99  # A split needs units at the champion.
    if not 0 < exposure <= top:
        rule = f"The exposure of a {experiment.design} starts above 0 and at most at {top:g}."
        raise Refused(f"{rule} Received: {exposure:g}. Correct --exposure.")
    if experiment.name in _names(bus, looked.model):
        rule = "The name of an experiment is used once: predictions are found by it."
        raise Refused(f"{rule} Received: {experiment.name!r}, used before. Choose another.")


def _names(bus: Bus, model: str) -> set[str]:
    started = (a.control for a in history(bus, model) if a.action == "start")
    return {c.experiment.name for c in started if c and c.experiment}


def _without_experiment(looked: Control, champion: int | None, previous: int | None) -> Control:
    """Return control after a decision that ends the experiment.

    What had a role until now stays loaded until the next decision, since a router may be on its
    last batch with it; so do releases newer than all of these, which still wait for a role.
    """
    roles = {v for v in (looked.champion, *looked.arms.values()) if v}
    newest = max(roles | {looked.previous or 0})
    kept = roles | {v for v in looked.keep if v > newest}
    return structs.replace(
        looked,
        champion=champion,
        previous=previous,
        experiment=None,
        arms={},
        exposure=0.0,
        holdback=None,
        keep=tuple(sorted(kept - {champion, previous})),
    )


def note(bus: Bus, looked: Control, action: Action, by: By, evidence: Mapping[str, Any]) -> None:
    """Put on record what was done and changed no control."""
    controls.note(bus, entry(looked, action, by, evidence))


def entry(looked: Control, action: Action, by: By, evidence: Mapping[str, Any]) -> Audit:
    """Return the entry of what was decided on `looked`, before any change is in it."""
    return Audit(
        audit_id=new_id(),
        at=by.at,
        who=by.who,
        verified=by.verified,
        action=action,
        model=looked.model,
        before=looked.revision,
        after=looked.revision,
        forced=by.force,
        reason=by.reason,
        evidence=dict(evidence),
    )


def _decide(
    bus: Bus, looked: Control, to: Control, action: Action, by: By, evidence: Mapping[str, Any]
) -> Control:
    audit = entry(looked, action, by, evidence)
    return controls.change(bus, looked.model, expected=looked.revision, to=to, audit=audit)
