"""The patient bootstrap of the paper's size: 10,000 resamples of 22,433 images and 14 findings.

python -m benchmarks.evaluation [--predictions FILE --reference FILE] [--rounds 10000]

Without files, made-up predictions of the same size. Beside it, in the same process: the plain way,
which ranks the drawn patients' images again for each resample (a few of them, times as many).
"""

from __future__ import annotations

import argparse
import resource
import tracemalloc
from pathlib import Path

import numpy as np

from benchmarks.timing import timed
from chexnet.evaluation import tables
from chexnet.evaluation.auroc import auroc
from chexnet.evaluation.bootstrap import bootstrap
from chexnet.evaluation.curve import curve
from chexnet.evaluation.evaluate import Plan, evaluate, resample
from chexnet.evaluation.page import page
from chexnet.evaluation.scored import Finding, Scored
from chexnet.inputs.labels import FINDINGS

IMAGES, PATIENTS, FEW = 22_433, 6_187, 3
AT_LEAST = 20  # Times as fast as the plain way.


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--predictions", type=Path)
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--rounds", type=int, default=10_000)
    given = parser.parse_args()
    plan = Plan(rounds=given.rounds)
    scored = real(given.predictions, given.reference) if given.predictions else made_up()
    findings = list(scored.findings())
    print(f"{len(scored.image)} images, {scored.patients} patients, {len(findings)} findings")

    none = {finding.name: {} for finding in findings}
    seconds, found = timed(lambda: resample(findings, none, plan))
    print(f"{plan.rounds} resamples, AUROC and average precision: {seconds:.2f} s")
    plain, _ = timed(lambda: [slow(finding) for finding in findings])
    ratio = plain / FEW * plan.rounds / seconds
    print(f"the plain way: {plain / FEW * plan.rounds:.0f} s, {ratio:.0f} times as long")
    again = resample(findings, none, plan)
    assert all(np.array_equal(found.auroc[name], again.auroc[name]) for name in none)

    seconds, evaluation = timed(lambda: evaluate(scored, plan, subject="these", data="made up"))
    print(f"the whole evaluation: {seconds:.2f} s")
    seconds, _ = timed(lambda: page(evaluation, scored))
    print(f"its page with the figures: {seconds:.2f} s")
    tracemalloc.start()
    resample(findings, none, Plan(rounds=200))
    resamples = 2 * len(findings) * plan.rounds * 8
    peak = tracemalloc.get_traced_memory()[1] + resamples
    tracemalloc.stop()
    print(f"memory of the resamples: {peak / 2**20:.0f} MiB")
    print(
        f"peak of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"
    )
    assert ratio >= AT_LEAST, f"{ratio:.1f} times as fast as the plain way, not {AT_LEAST}"


def slow(finding: Finding) -> None:
    scores, present = finding.scores, finding.present

    def both(rows: np.ndarray) -> float:
        return (
            auroc(scores[rows], present[rows])
            + curve(scores[rows], present[rows]).average_precision()
        )

    bootstrap(both, finding.patient, rounds=FEW)


def real(predictions: Path, reference: Path) -> Scored:
    said = tables.predictions(predictions, FINDINGS)
    return tables.join(said, tables.reference(reference, said.labels), [])


def made_up() -> Scored:
    """Return predictions that are as many, as rare and as good as a real model's."""
    rng = np.random.default_rng(0)
    patient = np.sort(rng.integers(PATIENTS, size=IMAGES)).astype(str)
    share = np.geomspace(0.18, 0.002, len(FINDINGS))
    present = rng.random((IMAGES, len(FINDINGS))) < share
    logits = rng.normal(np.log(share) - 0.5, 1, present.shape) + 1.4 * present
    said = 1 / (1 + np.exp(-logits))
    return Scored.of(FINDINGS, [f"{n}.png" for n in range(IMAGES)], patient, said, present)


if __name__ == "__main__":
    main()
