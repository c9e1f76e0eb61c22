"""Designs that weight their patients, held to their plans: canary, worklist, several arms.

python -m benchmarks.experiment_designs [canary] [arms] [listed] [planned]

A minute or two on one core; names choose parts.
"""

from __future__ import annotations

import sys

import numpy as np

from benchmarks.experiments import STAGES, Share, assigned, bet
from benchmarks.readings import readings
from chexnet.experiments import loss_power
from chexnet.experiments.gate import READ
from chexnet.experiments.loss_plan import LossPlan
from chexnet.experiments.statistics.betting import stakes
from chexnet.experiments.statistics.holm import shared
from chexnet.experiments.statistics.weights import LEAST

SKILL = 1.0, 1.4
AT_ONCE = 60_000  # Patients of runs that are simulated together.


def canary(rng: np.random.Generator, runs: int = 1500) -> None:
    """The gate of a canary opens as often as planned over its stages."""
    big = readings(rng, 10, 30_000, skill=SKILL).losses()
    plan = LossPlan(
        difference=float((big[0] - big[1]).mean()),
        spread=float(np.sqrt(big.var(axis=(1, 2)).mean())),
        loss=float(big.mean()),
        stages=tuple((1 / len(STAGES), share) for share in STAGES),
    )
    each = -(-loss_power.patients_for_power(plan) // len(STAGES))
    patients, growing = each * len(STAGES), np.repeat(STAGES, each)
    hits, done = 0, 0
    while done < runs:
        chunk = max(1, AT_ONCE // patients)
        pair = readings(rng, chunk, patients, skill=SKILL).losses()
        bets = bet(*assigned(rng, *pair, growing), patients)
        hits += int((bets.above(0.0) >= bets.rich).any(axis=1).sum())
        done += chunk
    found = Share(hits, done)
    print(f"power of a canary: planned {plan.power:.0%} within {patients} patients: {found}")


def arms(rng: np.random.Generator, runs: int = 10_000, many: int = 4, patients: int = 300) -> None:
    """Of so many arms, all equal to the champion, the gate opens for any."""
    hits = {"not shared": 0, "shared": 0}
    for _ in range(runs // 100):
        skill = (1.2,) * (many + 1)
        losses = readings(rng, 100, patients, skill=skill, images=1).losses()
        values = losses[0] - losses[1:]
        for name, level in (("not shared", 0.95), ("shared", shared(0.95, many))):
            bets = stakes(values, reach=1.0, planned=patients, confidence=level)
            hits[name] += int((bets.above(0.0) >= bets.rich).any(axis=(0, 2)).sum())
    for name, count in hits.items():
        print(f"gate opens for some of {many} equal arms, error {name}: {Share(count, runs)}")


def draw(rng: np.random.Generator, runs: int, patients: int, skill: tuple[float, float]):
    """Return differences, one image a patient, propensities and who is listed."""
    one = readings(rng, runs, patients, skill=skill, images=1)
    a, b = one.losses()
    said = one.probability[0, ..., 0]
    chance = LEAST + (1 - LEAST) * (1 - np.abs(said - 0.3) / np.where(said < 0.3, 0.3, 0.7))
    return a - b, chance, rng.random(chance.shape) < chance


def listed(rng: np.random.Generator, runs: int = 300, patients: int = 3000) -> None:
    """A challenger that is worse by exactly the margin, and a list that is read in part."""
    skill = 1.2, 1.0
    margin = float(draw(rng, 20, 20_000, skill)[0].mean())
    for share in (0.0, 0.5, 0.95, 1.0):
        before, now, shut, means = 0, 0, 0, []
        for _ in range(runs // 20):
            values, chance, on = draw(rng, 20, patients, skill)
            read = on & (rng.random(on.shape) < share)
            weighted = np.where(read, values / chance, 0)  # What is not read: 0, as it was.
            bets = bet(weighted, 1 / LEAST, patients)
            before += int((bets.above(margin) >= bets.rich).any(axis=1).sum())
            for run in range(20):
                entered = weighted[run, ~on[run] | read[run]]
                means.append(entered.mean())
                if read[run].sum() < READ * on[run].sum():
                    shut += 1
                    continue
                bets = bet(entered, 1 / LEAST, patients)
                now += bool((bets.above(margin) >= bets.rich).any())
        print(
            f"worklist, {share:.0%} read, true difference {margin:+.4f} at the margin: mean "
            f"{np.mean(means):+.4f}; "
            f"opened as it was {Share(before, runs)}, now {Share(now, runs)}, "
            f"shut for what is unread {shut / runs:.0%}"
        )


def planned(rng: np.random.Generator, runs: int = 1500) -> None:
    """The gate of an experiment with a worklist opens as often as planned."""
    values, chance, on = draw(rng, 10, 30_000, SKILL)
    seen = np.where(on, values / chance, 0)
    plan = LossPlan(difference=float(values.mean()), spread=float(seen.std()), bound=1 / LEAST)
    patients = loss_power.patients_for_power(plan)
    plain = LossPlan(difference=plan.difference, spread=float(values.std()))
    few = loss_power.patients_for_power(plain)
    hits = {few: 0, patients: 0}
    done = 0
    while done < runs:
        chunk = max(1, AT_ONCE // patients)
        for number in hits:
            values, chance, on = draw(rng, chunk, number, SKILL)
            bets = bet(np.where(on, values / chance, 0), 1 / LEAST, number)
            hits[number] += int((bets.above(0.0) >= bets.rich).any(axis=1).sum())
        done += chunk
    for number, count in hits.items():
        how = "weights left out of the plan" if number == few else "with them"
        print(f"power with a worklist: planned 80% within {number}, {how}: {Share(count, done)}")


if __name__ == "__main__":
    parts = {"canary": canary, "arms": arms, "listed": listed, "planned": planned}
    for name in sys.argv[1:] or parts:
        parts[name](np.random.default_rng(0))
