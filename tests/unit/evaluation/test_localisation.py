"""Boxes of heat maps against drawn ones: overlaps by hand, maps whose regions are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chexnet.evaluation.localisation import THRESHOLDS, Box, locate, overlaps, regions

LABELS = ("Mass", "Nodule")


def spot(row: int, column: int, side: int = 16, size: int = 4) -> np.ndarray:
    """Return a map that is hot in one square."""
    cam = np.zeros((side, side), np.float32)
    cam[row : row + size, column : column + size] = 1
    return cam


def box(image: str, label: str = "Mass", at: tuple[float, ...] = (0.25, 0.5, 0.5, 0.75)) -> Box:
    return Box(image=image, label=label, left=at[0], top=at[1], right=at[2], bottom=at[3])


def test_overlaps_by_hand() -> None:
    # A 4 x 2 box and a 2 x 4 box share 2 x 2: IoU 4 / 12, of either box one half.
    found, drawn = np.array([[0.0, 0, 4, 2]]), np.array([[2.0, 0, 4, 4]])
    table = overlaps(found, drawn)
    assert table["IoU"][0, 0] == pytest.approx(4 / 12)
    assert table["IoBB"][0, 0] == pytest.approx(4 / 8)


rectangle = st.tuples(*(st.integers(0, 10) for _ in range(2)), *(st.integers(1, 10) for _ in "wh"))


@given(rectangle, rectangle)
def test_overlaps_are_counts_of_cells(one, other) -> None:
    cells = [
        {(x, y) for x in range(a, a + w) for y in range(b, b + h)} for a, b, w, h in (one, other)
    ]
    found, drawn = (np.array([[a, b, a + w, b + h]], float) for a, b, w, h in (one, other))
    shared = len(cells[0] & cells[1])
    table = overlaps(found, drawn)
    assert table["IoU"][0, 0] == pytest.approx(shared / len(cells[0] | cells[1]))
    assert table["IoBB"][0, 0] == pytest.approx(shared / len(cells[0]))


def test_a_hot_square_gives_a_box_around_it_at_each_cut() -> None:
    found = regions(spot(8, 4))  # Rows 8 to 12 of 16, columns 4 to 8.
    assert len(found) == 2  # At 60 and at 180.
    for left, top, right, bottom in found:
        assert (left, top, right, bottom) == pytest.approx((0.25, 0.5, 0.5, 0.75), abs=0.04)


def test_two_hot_squares_are_two_regions_and_a_flat_map_has_none() -> None:
    assert len(regions(spot(1, 1) + spot(10, 10))) == 4
    assert regions(np.full((7, 7), 3, np.float32)).shape == (0, 4)


def test_what_is_found_and_what_is_a_false_alarm_is_counted_by_box_and_by_image() -> None:
    right, wrong = spot(8, 4), spot(0, 12)
    both = right + wrong
    maps = {
        image: np.stack([cam, np.zeros_like(cam)])
        for image, cam in {"a": right, "b": wrong, "c": both}.items()
    }
    drawn = [box(image) for image in "abc"] + [box("elsewhere"), box("a", "Unheard")]
    located = locate(maps, drawn, LABELS, {"a": "p", "b": "q", "c": "q"}, 0.95)
    by = {(x.measure, x.threshold): x for x in located}
    assert set(by) == {(m, t) for m, thresholds in THRESHOLDS.items() for t in thresholds}
    half = by["IoU", 0.5]
    assert (half.label, half.boxes, half.images, half.patients) == ("Mass", 3, 3, 2)
    assert half.found == pytest.approx(2 / 3)  # a and c.
    assert half.false_positives == pytest.approx((0 + 2 + 2) / 3)  # One at each cut in b and in c.
    assert half.found_interval is not None
    assert half.found_interval.low < 2 / 3 < half.found_interval.high


def test_boxes_of_one_patient_have_no_interval() -> None:
    located = locate({"a": np.stack([spot(8, 4)] * 2)}, [box("a")], LABELS, {"a": "p"}, 0.95)
    assert {x.found_interval for x in located} == {None}
    assert {x.false_positives_interval for x in located} == {None}


def test_a_map_that_points_nowhere_finds_nothing_and_gives_no_alarm() -> None:
    located = locate({"a": np.ones((2, 7, 7), np.float32)}, [box("a")], LABELS, {"a": "p"}, 0.95)
    assert {(x.found, x.false_positives) for x in located} == {(0.0, 0.0)}
