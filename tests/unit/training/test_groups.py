"""What a card says of groups is what each group's images alone give."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from chexnet.evaluation.scored import Scored
from chexnet.training.scoring import groups


def test_each_group_has_its_own_auroc_over_the_labels_that_all_have() -> None:
    random = np.random.default_rng(0)
    present = random.uniform(size=(400, 2)) < 0.3
    scores = np.clip(0.4 * present + random.uniform(0, 0.6, (400, 2)), 0, 1)
    sex = np.array(["F", "M", "", "F"] * 100)
    present[sex == "M", 1] = False  # The second label can't be judged in one group.
    names = [f"i{n}" for n in range(400)]
    found = groups(
        Scored.of(("Left", "Right"), names, names, scores, present, details={"sex": sex})
    )
    assert [(g["value"], g["images"], g["units"]) for g in found] == [
        ("F", 200, 200),
        ("M", 100, 100),
    ]
    for group in found:
        rows = sex == group["value"]
        expected = roc_auc_score(present[rows, 0], scores[rows, 0])
        assert group["labels"] == ["Left"]
        assert group["macro_auroc"]["value"] == pytest.approx(expected)
        assert group["macro_auroc"]["low"] < expected < group["macro_auroc"]["high"]
