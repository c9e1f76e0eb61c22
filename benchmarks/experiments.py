"""The statistics of experiments, held to what they promise, with Monte-Carlo errors.

python -m benchmarks.experiments [--out docs/images] [--share 1.0]

Some minutes on one core. `--share 0.1` does a tenth of the runs, without its assertions.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from msgspec import structs
from numpy.typing import NDArray
from scipy.stats import beta

from benchmarks import experiment_plots as plots
from benchmarks.readings import area, readings
from chexnet.evaluation.auroc import auroc
from chexnet.evaluation.bootstrap import percentiles
from chexnet.evaluation.delong import clustered, interval, mean
from chexnet.evaluation.resampling import draws, ranking
from chexnet.evaluation.scored import Finding
from chexnet.experiments import loss_power, power
from chexnet.experiments.loss_plan import LossPlan
from chexnet.experiments.statistics.assigned import differences
from chexnet.experiments.statistics.betting import Stakes, stakes
from chexnet.experiments.statistics.ratio import evidence

ALPHA = 0.05
CHUNK = 100  # Runs at once.
STAGES = np.array([0.01, 0.05, 0.25, 0.5])  # A canary's exposures, each for a fourth.


class Share(NamedTuple):
    """How many of so many runs."""

    hits: int
    runs: int

    @property
    def value(self) -> float:
        return self.hits / self.runs

    def upper(self, level: float = 0.99) -> float:
        """Return the one-sided bound of Clopper and Pearson 1934."""
        return float(beta.ppf(level, self.hits + 1, self.runs - self.hits))

    def __str__(self) -> str:
        error = math.sqrt(self.value * (1 - self.value) / self.runs)
        return f"{self.value:.2%} (Monte-Carlo error {error:.2%}, {self.runs} runs)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--share", type=float, default=1.0)
    given = parser.parse_args()
    many, some = int(10_000 * given.share), int(2_000 * given.share)
    began = time.perf_counter()
    rng = np.random.default_rng(0)
    curves = peeking(rng, many)
    held = [*curves.found.values(), sample_ratio(rng, many)]
    covered = [*sequences(rng, some), *fixed(rng, some)]
    planned = [*loss_plans(rng, some), auroc_plan(rng, some)]
    anchored = readers(rng, some)
    print(f"{time.perf_counter() - began:.0f} s")
    if given.out:
        plots.peeking(given.out / "statistics-peeking.png", curves.at, curves.wrong, curves.band)
        plots.readers(given.out / "statistics-readers.png", anchored, power_curve(rng, some))
    if given.share < 1:
        return
    for name, share, alpha in held:
        assert share.upper() <= alpha + 0.005, (name, share.upper())
    for name, share, low, high in covered:
        assert low <= share.value <= high, (name, share)
    for name, share, wanted in planned:
        assert abs(share.value - wanted) <= 0.03, (name, share, wanted)


class Peeking(NamedTuple):
    at: NDArray[np.int64]
    wrong: dict[str, NDArray[np.float64]]  # Way to look → share of runs that were wrong by then.
    found: dict[str, tuple[str, Share, float]]
    band: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def peeking(rng: np.random.Generator, runs: int, patients: int = 1000) -> Peeking:
    """Two models that are equal, looked at after every patient."""
    ways = ("interval for one look", "shadow", "split in halves", "canary, 1 to 50 %")
    at = np.arange(patients)
    first = {way: [] for way in ways}
    growing = np.repeat(STAGES, patients // len(STAGES))
    for _ in range(runs // CHUNK):
        champion, challenger = readings(rng, CHUNK, patients).losses()
        paired = champion - challenger
        first["interval for one look"].append(naive(paired))
        first["shadow"].append(wrong(bet(paired, 1.0, patients), 0.0))
        for way, share in (
            ("split in halves", np.full(patients, 0.5)),
            ("canary, 1 to 50 %", growing),
        ):
            values, reach = assigned(rng, champion, challenger, share)
            first[way].append(wrong(bet(values, reach, patients), 0.0))
    curves = {way: (np.concatenate(f)[:, None] <= at).mean(axis=0) for way, f in first.items()}
    found = {}
    for way, when in first.items():
        share = Share(int((np.concatenate(when) < patients).sum()), runs)
        print(f"false positives, {way}: {share}; 99 % bound {share.upper():.2%}")
        if way != ways[0]:
            found[way] = (way, share, ALPHA)
    return Peeking(at, curves, found, band(rng))


def bet(values: np.ndarray, reach: np.ndarray | float, planned: int) -> Stakes:
    return stakes(values, reach=reach, planned=planned, confidence=1 - ALPHA)


def wrong(bets: Stakes, truth: float) -> np.ndarray:
    """Return the first look of each run that rules the truth out; past the last where none does."""
    out = (bets.above(truth) >= bets.rich) | (bets.below(truth) >= bets.rich)
    return np.where(out.any(axis=1), out.argmax(axis=1), out.shape[1])


def naive(values: np.ndarray, least: int = 50) -> np.ndarray:
    """Return the first look, from 50 patients on, at which a plain 95 % interval excludes 0."""
    n = np.arange(1, values.shape[1] + 1)
    means = np.cumsum(values, axis=1) / n
    error = np.sqrt((np.cumsum(values**2, axis=1) / n - means**2) / n)
    out = (np.abs(means) > 1.96 * error) & (n >= least)
    return np.where(out.any(axis=1), out.argmax(axis=1), out.shape[1])


def assigned(rng, champion, challenger, share):
    drawn = rng.random(champion.shape) < share
    loss = np.where(drawn, challenger, champion)
    return differences(loss, drawn, np.broadcast_to(share, loss.shape), 1.0)


def band(rng: np.random.Generator, patients: int = 1500) -> tuple:
    """Return one experiment with a better challenger: its mean and limits after each patient."""
    champion, challenger = readings(rng, 1, patients, skill=(1.0, 1.5)).losses()
    values = (champion - challenger)[0]
    bets = bet(values, 1.0, 600)
    grid = np.linspace(-0.1, 0.15, 1001)
    low = [np.maximum.accumulate(bets.above(m)) >= bets.rich for m in grid]
    high = [np.maximum.accumulate(bets.below(m)) >= bets.rich for m in grid]
    step = grid[1] - grid[0]
    means = np.cumsum(values) / np.arange(1, patients + 1)
    return means, grid[0] + step * np.sum(low, axis=0), grid[-1] - step * np.sum(high, axis=0)


def sample_ratio(rng: np.random.Generator, runs: int, patients: int = 2000):
    """Three arms in their shares, looked at after every patient; and with a tenth of one lost."""
    shares = np.array([0.5, 0.3, 0.2])

    def alarms(come: np.ndarray, of: int) -> Share:
        hits = 0
        for _ in range(rounds := max(1, of // CHUNK)):
            drawn = rng.choice(3, (CHUNK, patients), p=come)
            counts = np.stack([np.cumsum(drawn == arm, axis=1) for arm in range(3)], axis=-1)
            hits += int((evidence(counts, shares).max(axis=1) >= -math.log(0.01)).sum())
        return Share(hits, rounds * CHUNK)

    false = alarms(shares, runs)
    lossy = shares * [1, 0.8, 1]
    true = alarms(lossy / lossy.sum(), runs // 10)
    print(f"sample-ratio alarms at 1 %, nothing lost: {false}; 99 % bound {false.upper():.2%}")
    print(f"a fifth of one arm lost, within {patients} patients: {true}")
    return "sample ratio", false, 0.01


def sequences(rng: np.random.Generator, runs: int, patients: int = 300):
    """Sequences with a better challenger: whether they cover the difference at all looks."""
    skill = 1.0, 1.5
    big = readings(rng, 20, 100_000, skill=skill).losses()
    truth = float((big[0] - big[1]).mean())
    missed = {"shadow": 0, "split": 0}
    for _ in range(runs // CHUNK):
        champion, challenger = readings(rng, CHUNK, patients, skill=skill).losses()
        paired = bet(champion - challenger, 1.0, patients)
        split = bet(*assigned(rng, champion, challenger, np.full(patients, 0.5)), patients)
        for name, bets in (("shadow", paired), ("split", split)):
            missed[name] += int((wrong(bets, truth) < patients).sum())
    for name, count in missed.items():
        share = Share(runs - count, runs)
        print(f"coverage of the sequence at all looks, {name}: {share}")
        yield f"sequence, {name}", share, 0.95, 1.0


def fixed(rng: np.random.Generator, runs: int, patients: int = 180, labels: int = 3):
    """Macro-AUROC differences: patients with 1 to 3 images, at least 50 with and 50 without."""
    skill = 1.0, 1.5
    truth = area(skill[1]) - area(skill[0])
    hits = {"shadow, DeLong": 0, "split, DeLong": 0, "shadow, bootstrap": 0}
    for _ in range(runs):
        many = readings(rng, labels, patients, skill=skill, prevalence=0.35)
        other = readings(rng, labels, patients, skill=skill, prevalence=0.35)
        sides = [side(many, 0, 0), side(many, 1, 0), side(other, 1, patients)]
        a, b, c = (mean([clustered(*f, 2 * patients) for f in each]) for each in sides)
        for name, other_side in (("shadow, DeLong", b), ("split, DeLong", c)):
            found = interval(other_side - a, 0.95)
            hits[name] += found.low <= truth <= found.high
        low, high = resampled(sides[0], sides[1], patients, int(rng.integers(2**31)))
        hits["shadow, bootstrap"] += low <= truth <= high
    for name, count in hits.items():
        share = Share(count, runs)
        print(f"coverage of the macro-AUROC difference, {name}: {share}")
        yield name, share, 0.935, 0.965


def side(many, model: int, start: int) -> list[tuple]:
    """Return (scores, present, patient) of each label, with 50 patients at least either way."""
    made = []
    for label in range(len(many.read)):
        read, present = many.read[label], many.present[label]
        patient = np.broadcast_to(np.arange(start, start + len(read))[:, None], read.shape)
        made.append((many.scores[model, label][read], present[read], patient[read]))
        for value in (present, ~present):
            assert (value & read).any(axis=1).sum() >= 50
    return made


def resampled(champion: list, challenger: list, patients: int, seed: int) -> tuple[float, float]:
    """Return the patient bootstrap's interval of the macro difference, of 400 resamples."""
    made = [[ranking(finding(*f, patients)) for f in each] for each in (champion, challenger)]
    found = []
    for drawn in draws(patients, 400, seed):
        a, b = (np.mean([r.measure(drawn)[0] for r in each], axis=0) for each in made)
        found.append(b - a)
    return percentiles(np.concatenate(found), 0.95)


def finding(scores, present, patient, patients) -> Finding:
    return Finding("", scores, present, patient, patients)


def loss_plans(rng: np.random.Generator, runs: int):
    """The gate of the sequence opens as often as planned, in shadow and in a split."""
    skill = 1.0, 1.4
    big = readings(rng, 20, 100_000, skill=skill).losses()
    effect = float((big[0] - big[1]).mean())
    paired = LossPlan(difference=effect, spread=float((big[0] - big[1]).std()))
    within, level = float(np.sqrt(big.var(axis=(1, 2)).mean())), float(big.mean())
    split = LossPlan(difference=effect, spread=within, stages=((1.0, 0.5),), loss=level)
    for name, plan in (("shadow", paired), ("split", split)):
        patients = loss_power.patients_for_power(plan)
        hits, when = 0, []
        chunk = max(1, CHUNK * 500 // patients)
        rounds = max(1, runs // chunk)
        for _ in range(rounds):
            champion, challenger = readings(rng, chunk, patients, skill=skill).losses()
            if name == "shadow":
                bets = bet(champion - challenger, 1.0, patients)
            else:
                bets = bet(*assigned(rng, champion, challenger, np.full(patients, 0.5)), patients)
            opened = bets.above(0.0) >= bets.rich
            hits += int(opened.any(axis=1).sum())
            when += opened[opened.any(axis=1)].argmax(axis=1).tolist()
        share = Share(hits, rounds * chunk)
        print(
            f"power of the sequence, {name}: planned {plan.power:.0%} within {patients} patients "
            f"for {effect:.4f}: {share}; half of those decided by patient {np.median(when):.0f}"
        )
        yield f"sequence, {name}", share, plan.power


def power_curve(rng: np.random.Generator, runs: int):
    """Return planned and simulated power over the patients of a shadow experiment."""
    skill = 1.0, 1.4
    big = readings(rng, 20, 50_000, skill=skill).losses()
    values = big[0] - big[1]
    plan = LossPlan(difference=float(values.mean()), spread=float(values.std()))
    sizes = np.unique(np.geomspace(100, 1500, 12).astype(int))
    opened = []
    for patients in sizes:
        champion, challenger = readings(rng, runs // 4, int(patients), skill=skill).losses()
        bets = bet(champion - challenger, 1.0, int(patients))
        opened.append((bets.above(0.0) >= bets.rich).any(axis=1).mean())
    return sizes, [loss_power.power(plan, int(n)) for n in sizes], opened


def auroc_plan(rng: np.random.Generator, runs: int):
    """The gate of the macro AUROC opens as often as planned; one image a patient."""
    skill = 1.0, 1.4
    plan = power.Plan(champion=area(skill[0]), challenger=area(skill[1]), prevalence=[0.3])
    # The models share half of their noise. Of 400 pilots the correlation of their areas would be
    # uncertain by 0.04, and the power of the plan by two points.
    pilots = 4000
    many = readings(rng, pilots, 400, skill=skill, images=1)
    areas = np.array(
        [
            [auroc(model[run, :, 0], many.present[run, :, 0]) for run in range(pilots)]
            for model in many.scores
        ]
    )
    plan = structs.replace(plan, arm_correlation=float(np.corrcoef(areas)[0, 1]))
    cases = power.cases_for_power(plan)
    opened = 0
    for _ in range(runs):
        one = readings(rng, 1, cases, skill=skill, images=1)
        a, b = (
            clustered(s[0, :, 0], one.present[0, :, 0], np.arange(cases), cases) for s in one.scores
        )
        opened += interval(b - a, 0.95).low > 0
    share = Share(opened, runs)
    print(f"power of the macro AUROC, shadow: planned 80% with {cases} cases: {share}")
    return "macro AUROC", share, 0.8


def readers(rng: np.random.Generator, runs: int, patients: int = 400):
    """What a reader finds who has seen the champion's answer, and takes it over so often."""
    skill = 1.0, 1.5
    truth = area(skill[1]) - area(skill[0])
    anchors, measured = np.linspace(0, 1, 11), []
    for anchor in anchors:
        found = []
        for _ in range(max(runs // 20, 10)):
            one = readings(rng, 1, patients, skill=skill, images=1)
            present, scores = one.present[0, :, 0], one.scores[:, 0, :, 0]
            wrong_reads = rng.random(patients) < 0.05
            own = present ^ wrong_reads
            shown = one.probability[0, 0, :, 0] > 0.3
            said = np.where(rng.random(patients) < anchor, shown, own)
            found.append(auroc(scores[1], said) - auroc(scores[0], said))
        measured.append((np.mean(found), np.std(found) / math.sqrt(len(found))))
        print(
            f"difference, {anchor:.0%} of reads taken over from the champion: "
            f"{measured[-1][0]:+.3f} (error {measured[-1][1]:.3f}); true {truth:+.3f}"
        )
    return anchors, np.array(measured), truth


if __name__ == "__main__":
    main()
