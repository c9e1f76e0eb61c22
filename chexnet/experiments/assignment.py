"""Who gets which version: a pure function of control and the unit, so it can be recomputed.

Two independent hashes of the unit decide. The first includes it in the experiment, the second picks
its arm. So a growing exposure includes more units and moves none that is included already. After a
decision a third may hold it back: it stays on the previous champion.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from msgspec import Struct

from chexnet.errors import Unavailable
from chexnet.messages import CHAMPION, PREVIOUS, Control, Experiment


class Assignment(Struct, frozen=True):
    """What one image gets: the arm and version that answer it, and those that only shadow it."""

    answer: tuple[str, int]
    shadows: dict[str, int]  # Arm → version.


def assign(control: Control, unit: str) -> Assignment:
    """Return what `unit` gets under `control`.

    Raises:
        Unavailable: there is no champion yet; images wait until there is one.
    """
    if control.champion is None:
        rule = "An image is answered only when its pipeline has a champion."
        received = f"Received: revision {control.revision} of {control.model}, with none."
        raise Unavailable(f"{rule} {received} Give it one with: chexnet promote VERSION")
    champion = (CHAMPION, control.champion)
    if control.previous is not None and _held(control, unit):
        return Assignment((PREVIOUS, control.previous), {})
    experiment = control.experiment
    if experiment is None or not included(experiment.salt, unit, control.exposure):
        return Assignment(champion, {})
    if experiment.design == "shadow":
        return Assignment(champion, dict(control.arms))
    arm = pick(experiment.salt, unit, experiment.weights)
    return Assignment((arm, control.arms[arm]), {})


def _held(control: Control, unit: str) -> bool:
    """Say whether `unit` is of the share that stays on the previous champion."""
    holdback = control.holdback
    return holdback is not None and uniform(holdback.salt, "hold", unit) < holdback.share


def shares(experiment: Experiment, exposure: float) -> dict[str, float]:
    """Return the share of all units that each arm of a split has; they sum to 1."""
    total = sum(experiment.weights.values())
    each = {arm: exposure * weight / total for arm, weight in experiment.weights.items()}
    return {CHAMPION: 1 - exposure, **each}


def included(salt: str, unit: str, exposure: float) -> bool:
    """Return whether the experiment with `salt` includes `unit` at this exposure, 0 to 1."""
    return uniform(salt, "expose", unit) < exposure


def pick(salt: str, unit: str, weights: Mapping[str, float]) -> str:
    """Return the arm of `unit`: each arm has its share of the weights, which need not sum to 1."""
    arms = sorted(weights)
    at = uniform(salt, "arm", unit) * sum(weights[arm] for arm in arms)
    for arm in arms[:-1]:
        at -= weights[arm]
        if at < 0:
            return arm
    return arms[-1]


def uniform(*parts: str) -> float:
    """Return a number in [0, 1), uniform over the last part and independent over the others.

    SHA-256 of the parts, each behind its length, so that ("ab", "c") is not ("a", "bc"); of that
    the first 53 bits, which a float holds exactly.
    """
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return (int.from_bytes(digest.digest()[:8], "big") >> 11) / 2**53
