"""The gate: what a version must show before it becomes champion. It names all that is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chexnet.errors import Refused
from chexnet.messages import Control, Experiment, Release

if TYPE_CHECKING:  # A rollback needs no statistics, and must not wait for their import.
    from chexnet.evaluation.delong import Interval
    from chexnet.experiments.comparison import Comparison
    from chexnet.experiments.guarded import Guarded
    from chexnet.experiments.statistics.ratio import Ratio


READ = 0.95  # Of what a worklist included: what is not read is missing from the sequence.


def unproven(comparison: Comparison, experiment: Experiment) -> list[str]:
    """Return, as sentences, what the comparison lacks; nothing where it is evidence enough.

    Only the metric that the experiment fixed at its start is looked at.
    """
    if experiment.metric == "brier":
        return _unproven_sequence(comparison, experiment)
    missing = []
    few = [f"{n} in {arm}" for arm, n in comparison.cases.items() if n < experiment.min_cases]
    if few:
        rule = f"A comparison is decided on at least {experiment.min_cases} cases in each arm."
        todo = "Record more blinded reads, or import references: chexnet feedback import"
        missing.append(f"{rule} Received: {', '.join(few)}. {todo}")
    if comparison.difference is None:
        rule = f"One label at least needs {experiment.min_positive} patients with it and without."
        missing.append(f"{rule} Received: none of {len(comparison.labels)} labels. Read more.")
    elif comparison.difference.low <= experiment.margin:
        todo = "Keep the champion, or plan a larger experiment."
        missing.append(_below(comparison, "macro AUROC's difference", comparison.difference, todo))
    return missing


def _unproven_sequence(comparison: Comparison, experiment: Experiment) -> list[str]:
    sequence = comparison.sequential
    if sequence is None or (found := sequence.difference) is None:
        rule = "A sequence starts with the first patient whose lag is over and whom somebody read."
        received = f"Received: none, and {comparison.counts.waiting} who wait."
        return [f"{rule} {received} Record blinded reads within {experiment.lag_days:g} days."]
    if experiment.worklist and sequence.reads < max(1, READ * sequence.listed):
        rule = f"At least {READ:.0%} of the images that the worklist included must be read in time."
        received = f"Received: {sequence.reads} of {sequence.listed}."
        todo = f"Read those to come within {experiment.lag_days:g} days, or start a new experiment."
        return [f"{rule} {received} {todo}"]
    if found.low > found.high:
        rule = "The looks at a sequence must leave a difference that fits them all."
        received = f"Received: above {found.low:+.4f} and below {found.high:+.4f}."
        return [f"{rule} {received} Images or readers have changed: start a new experiment."]
    if found.low <= experiment.margin:
        todo = "Go on, and look again whenever you like."
        return [_below(comparison, "Brier loss's difference", found, todo)]
    return []


def _below(comparison: Comparison, what: str, found: Interval, todo: str) -> str:
    sides = f"{comparison.arm} - champion"
    if comparison.metric == "brier":
        sides = f"champion - {comparison.arm}"
    rule = (
        f"The {100 * comparison.confidence:.4g}% interval of the {what}, {sides}, "
        f"must lie above the margin {comparison.margin:g}."
    )
    return f"{rule} Received: {found.value:+.4f} ({found.low:+.4f} to {found.high:+.4f}). {todo}"


def unshared(ratio: Ratio | None) -> list[str]:
    """Return that patients came to the arms in other shares than they were assigned, if so."""
    if ratio is None or not ratio.alarm:
        return []
    came = "; ".join(
        f"{stage.patients} at {', '.join(f'{a} {s:.1%}' for a, s in stage.shares.items())}"
        for stage in ratio.stages
    )
    rule = f"Patients must come to the arms in their shares (p above {ratio.alpha:g})."
    todo = "Find out who is lost, then start a new experiment."
    return [f"{rule} Received: p = {ratio.p:.2g}, {came}. {todo}"]


def unwatched(version: int, known: Guarded) -> list[str]:
    """Return what the guardrails leave open of a version."""
    missing = []
    if known.watched is None:
        rule = "The guardian must have seen enough images of a version, with all guardrails well."
        todo = "Let it see more, and see that it runs: chexnet status"
        missing.append(f"{rule} Received: nothing yet of version {version}. {todo}")
    if known.breaches:
        passed = ", ".join(
            f"{b['guardrail']} {b['value']:.3g} (at most {b['limit']:g})" for b in known.breaches
        )
        rule = "A version must pass no guardrail that it is to blame for."
        todo = "Find out why: chexnet audit"
        missing.append(f"{rule} Received: version {version}, {passed}. {todo}")
    return missing


def unevaluated(release: Release) -> list[str]:
    """Return what the release lacks: figures of its card, or of chexnet evaluate."""
    splits = [split for split in release.metrics.values() if isinstance(split, dict)]
    if any(split.get("macro_auroc") is not None for split in splits):
        return []
    rule = "A release must have an evaluation."
    received = f"Received: version {release.version}, with no macro_auroc of any split."
    return [f"{rule} {received} Make one with: chexnet evaluate {release.version} --on …"]


def uncompared(version: int, control: Control) -> list[str]:
    """Return what a version that is in no arm lacks: nothing, where there is no champion yet."""
    if control.champion is None:
        return []
    rule = "A version must have been compared with the champion, in the running experiment."
    arms = ", ".join(f"{name}={v}" for name, v in control.arms.items()) or "no arms"
    todo = f"Start one with: chexnet experiment start NAME --arm NAME={version}"
    return [f"{rule} Received: version {version}, beside {arms}. {todo}"]


def require(version: int, missing: Sequence[str]) -> None:
    """Raise Refused with all that is missing; return where nothing is."""
    if missing:
        rule = f"Version {version} may not become champion yet."
        listed = " ".join(f"({n}) {sentence}" for n, sentence in enumerate(missing, 1))
        raise Refused(f"{rule} Missing: {listed}")
