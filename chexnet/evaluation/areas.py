"""The AUROC of each finding, and why those have none that have none."""

from __future__ import annotations

from collections.abc import Iterable

from chexnet.evaluation.delong import Estimate, clustered
from chexnet.evaluation.scored import Finding


def areas(findings: Iterable[Finding]) -> tuple[dict[str, Estimate], dict[str, str]]:
    """Return name → area with patients as clusters, and name → why there is none."""
    found, missing = {}, {}
    for finding in findings:
        try:
            found[finding.name] = clustered(
                finding.scores, finding.present, finding.patient, finding.patients
            )
        except ValueError as error:
            missing[finding.name] = str(error)
    return found, missing
