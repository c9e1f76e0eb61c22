"""AUROC in parts of the data: by sex, age, view, or whatever is known of the images."""

from __future__ import annotations

import numpy as np

from chexnet.evaluation.delong import Estimate, clustered, logit_interval, mean
from chexnet.evaluation.record import Subgroup
from chexnet.evaluation.scored import Bools, Scored


def subgroups(scored: Scored, confidence: float) -> list[Subgroup]:
    """Return each group of each attribute. Images of unknown group are in none.

    The mean of a group is over the labels that have an AUROC in every group of its attribute, so
    that groups are compared on the same labels.
    """
    found = []
    for attribute, column in scored.details.items():
        values = [str(value) for value in np.unique(column) if value]
        parts = {value: _areas(scored, column == value) for value in values}
        common = tuple(
            label for label in scored.labels if all(label in areas for areas, _ in parts.values())
        )
        for value, (areas, missing) in parts.items():
            chosen = [areas[label] for label in common]
            rows = column == value
            found.append(
                Subgroup(
                    attribute=attribute,
                    value=value,
                    images=int(rows.sum()),
                    patients=len(np.unique(scored.patient[rows])),
                    auroc={k: logit_interval(area, confidence) for k, area in areas.items()},
                    missing=missing,
                    mean=logit_interval(mean(chosen), confidence) if chosen else None,
                    mean_of=common,
                )
            )
    return found


def _areas(scored: Scored, rows: Bools) -> tuple[dict[str, Estimate], dict[str, str]]:
    areas, missing = {}, {}
    for finding in scored.rows(rows).findings():
        try:
            areas[finding.name] = clustered(
                finding.scores, finding.present, finding.patient, finding.patients
            )
        except ValueError as error:
            missing[finding.name] = str(error)
    return areas, missing
