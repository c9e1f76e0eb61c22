"""What an answer says by its card is the same in the terminal and in the workspace."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec import structs

from chexnet.messages import CHAMPION, Tensor
from chexnet.runtime.outputs import outputs, unlike
from chexnet.ui import wording
from chexnet.ui.caseview import outputs_of
from tests.unit.experiments.records import prediction
from tests.unit.test_release import CARD

SCORES = {"Effusion": 0.9, "Mass": 0.2, "Edema": 1.0}


@pytest.mark.parametrize("temperature", [None, 2.0])
def test_the_figures_are_those_of_the_workspace(temperature: float | None) -> None:
    said = prediction("i", "p", CHAMPION, SCORES)
    for card in (None, structs.replace(CARD, temperature=temperature)):
        found = {output.label: output for output in outputs(said, card)}
        assert [*found] == ["Edema", "Effusion", "Mass"]
        for shown in outputs_of(said, card):
            same = found[shown["label"]]
            assert same.probability == pytest.approx(shown["probability"])
            assert (same.threshold, same.above) == (shown["threshold"], shown["above"])


@pytest.mark.parametrize(("feature", "far"), [(2.0, False), (4.0, True)])
def test_an_image_is_unlike_where_the_workspace_says_so(feature: float, far: bool) -> None:
    said = prediction("i", "p", CHAMPION, SCORES, features=Tensor.of(np.array([feature])))
    card = structs.replace(CARD, feature_distance=3.0)
    assert unlike(said, card) is wording.unlike(said, card) is far
    assert unlike(said, CARD) is wording.unlike(said, CARD) is None
