"""Calibration: by hand, and a temperature that was put in comes out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chexnet.evaluation.calibration import (
    cross_fitted,
    ece,
    of_known,
    reliability,
    scaled,
    temperature,
)
from chexnet.evaluation.scored import Finding, Scored


def drawn(seed: int, images: int, hotter: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities whose logits are `hotter` times the true ones, and what came."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-1, 1.5, images)
    return 1 / (1 + np.exp(-hotter * logits)), rng.random(images) < 1 / (1 + np.exp(-logits))


def test_ece_by_hand() -> None:
    # Bins are 1/15 wide: .01 and .03 share one (said .02, came 1/2), 1.0 is alone and right.
    found = ece(np.array([0.01, 0.03, 1.0]), np.array([True, False, True]))
    assert found == pytest.approx((2 * 0.48 + 0) / 3)


def test_a_calibrated_model_has_little_error_and_an_overconfident_one_more() -> None:
    assert ece(*drawn(0, 50_000)) < 0.01
    assert ece(*drawn(0, 50_000, hotter=3)) > 0.05


@pytest.mark.parametrize("hotter", [0.5, 1.0, 2.5])
def test_the_temperature_that_was_put_in_comes_out(hotter: float) -> None:
    said, came = drawn(1, 200_000, hotter)
    assert temperature(said, came) == pytest.approx(hotter, rel=0.02)


@given(st.lists(st.floats(0, 1), min_size=2), st.floats(0.1, 10))
def test_scaling_keeps_the_order_and_stays_within_0_and_1(said, heat) -> None:
    before = np.array(said)
    after = scaled(before, heat)
    assert ((after >= 0) & (after <= 1)).all()
    assert (np.diff(after[np.argsort(before)]) >= 0).all()


def test_findings_of_one_kind_have_no_temperature() -> None:
    with pytest.raises(ValueError, match="Received: 3 of one kind"):
        temperature(np.array([0.1, 0.2, 0.3]), np.zeros(3, bool))


def test_a_half_is_scaled_by_the_other_half() -> None:
    one, two = drawn(2, 20_000, hotter=3.0), drawn(3, 20_000, hotter=0.5)
    # Patients a0, b1, a2, …: numbered in turn, so that even ones are overconfident, odd ones not.
    patient = [f"{n:06d}" for n in range(40_000)]
    said, came = np.empty(40_000), np.empty(40_000, bool)
    said[::2], came[::2] = one
    said[1::2], came[1::2] = two
    scored = Scored.of(["mass"], patient, patient, said[:, None], came[:, None])
    found = cross_fitted(scored)[:, 0]
    np.testing.assert_allclose(
        found[::2], scaled(said[::2], of_known(scored.rows(slice(1, None, 2))))
    )
    assert ece(found[::2], came[::2]) > ece(said[::2], came[::2])  # Scaled the wrong way.


def test_reliability_groups_are_of_equal_size_and_hold_what_was_so() -> None:
    said, came = drawn(4, 1000)
    groups = reliability(Finding("mass", said, came, np.arange(1000), 1000), 0.95)
    assert [group.images for group in groups] == [100] * 10
    lowest = np.argsort(said)[:100]
    assert groups[0].said == pytest.approx(said[lowest].mean())
    assert groups[0].share == pytest.approx(came[lowest].mean())
    covered = [g.observed.low <= g.said <= g.observed.high for g in groups if g.observed]
    assert sum(covered) >= 8


def test_equal_probabilities_are_one_group_and_one_patient_has_no_interval() -> None:
    finding = Finding("mass", np.full(6, 0.2), np.arange(6) < 2, np.zeros(6, int), 1)
    (group,) = reliability(finding, 0.95)
    assert (group.images, group.share, group.observed) == (6, pytest.approx(1 / 3), None)
