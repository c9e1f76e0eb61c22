from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chexnet.experiments import worklist
from chexnet.experiments.statistics import weights

SHARE = st.floats(0, 1)


def test_an_image_is_sure_to_be_listed_at_a_threshold_and_rare_far_from_all() -> None:
    thresholds = {"a": 0.2, "b": 0.8}
    assert worklist.propensity({"a": 0.2, "b": 0.0}, thresholds) == 1
    assert worklist.propensity({"a": 0.0, "b": 1.0}, thresholds) == pytest.approx(0.1)
    # 0.6 is half way from 0.2 to 1, and 0.4 half way from 0.8 to 0: half of what is above 0.1.
    assert worklist.propensity({"a": 0.6, "b": 0.4}, thresholds) == pytest.approx(0.55)


@given(
    st.dictionaries(st.sampled_from("abc"), SHARE), st.dictionaries(st.sampled_from("ab"), SHARE)
)
def test_a_propensity_can_always_be_weighted(said, thresholds) -> None:
    assert weights.LEAST == worklist.LEAST
    chance = worklist.propensity(said, thresholds)
    assert worklist.LEAST <= chance <= 1 + 1e-9


def test_the_draw_is_the_same_each_time_and_includes_the_share_that_it_says() -> None:
    drawn = [worklist.included("xray", f"image-{n}", 0.3) for n in range(4000)]
    assert drawn == [worklist.included("xray", f"image-{n}", 0.3) for n in range(4000)]
    assert abs(sum(drawn) / 4000 - 0.3) < 0.03  # Four standard errors.
    assert all(worklist.included("xray", f"image-{n}", 1.0) for n in range(100))
