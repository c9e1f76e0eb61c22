"""The gate: what a version must show before it becomes champion. It names all that is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chexnet.errors import Refused
from chexnet.messages import Control, Experiment, Release

if TYPE_CHECKING:  # A rollback needs no statistics, and must not wait for their import.
    from chexnet.experiments.comparison import Comparison


def unproven(comparison: Comparison, experiment: Experiment) -> list[str]:
    """Return, as sentences, what the comparison lacks; nothing where it is evidence enough."""
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
        d, share = comparison.difference, f"{comparison.confidence:.0%}"
        rule = (
            f"The {share} interval of the macro AUROC's difference, {comparison.arm} - champion, "
            f"must lie above the margin {experiment.margin:g}."
        )
        received = f"Received: {d.value:+.4f} ({d.low:+.4f} to {d.high:+.4f})."
        missing.append(f"{rule} {received} Keep the champion, or plan a larger experiment.")
    return missing


def unevaluated(release: Release) -> list[str]:
    """Return what the release's card lacks."""
    splits = [split for split in release.metrics.values() if isinstance(split, dict)]
    if any(split.get("macro_auroc") is not None for split in splits):
        return []
    rule = "A release must have an evaluation in its card."
    received = f"Received: version {release.version}, with no macro_auroc of any split."
    return [f"{rule} {received} Train it again with a validation split: chexnet train"]


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
