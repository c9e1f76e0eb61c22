"""AUROC in parts of the data: by sex, age, view, or whatever is known of the images."""

from __future__ import annotations

import numpy as np

from chexnet.evaluation.areas import areas
from chexnet.evaluation.delong import logit_interval, mean
from chexnet.evaluation.record import Subgroup
from chexnet.evaluation.scored import Scored


def subgroups(scored: Scored, confidence: float) -> list[Subgroup]:
    """Return each group of each attribute. Images of unknown group are in none.

    The mean of a group is over the labels that have an AUROC in every group of its attribute, so
    that groups are compared on the same labels.
    """
    found = []
    for attribute, column in scored.details.items():
        values = [str(value) for value in np.unique(column) if value]
        parts = {value: areas(scored.rows(column == value).findings()) for value in values}
        common = tuple(
            label for label in scored.labels if all(label in known for known, _ in parts.values())
        )
        for value, (known, missing) in parts.items():
            chosen = [known[label] for label in common]
            rows = column == value
            found.append(
                Subgroup(
                    attribute=attribute,
                    value=value,
                    images=int(rows.sum()),
                    patients=len(np.unique(scored.patient[rows])),
                    auroc={k: logit_interval(area, confidence) for k, area in known.items()},
                    missing=missing,
                    mean=logit_interval(mean(chosen), confidence) if chosen else None,
                    mean_of=common,
                )
            )
    return found
