"""What a page may say of an image: nothing that a reader could not."""

from __future__ import annotations

import re

import pytest

from chexnet.errors import BadInput
from chexnet.messages import BOXES, NOTE
from chexnet.ui.said import said

LABELS = ("Fast", "Irregular")
BOX = {"label": "Fast", "x": 0.25, "y": 0.5, "w": 0.75, "h": 0.1}


def test_findings_boxes_and_a_note_are_taken_as_they_are() -> None:
    made = said({"findings": {"Fast": "present"}, "boxes": [BOX], "note": "Twice."}, LABELS)
    assert (made.assessed, made.note) == ({"Fast": "present"}, "Twice.")
    (box,) = made.boxes
    assert (box.label, box.x, box.y, box.w, box.h) == ("Fast", 0.25, 0.5, 0.75, 0.1)


@pytest.mark.parametrize(
    ("told", "rule"),
    [
        ({"findings": {"Fast": "probably"}}, "must be present, absent, unsure"),
        ({"findings": {"Fast": {"a": 1}}}, "must be present, absent, unsure"),
        ({"findings": {"Hernia": "present"}}, "one of Fast, Irregular. Received: 'Hernia'"),
        ({"boxes": [{**BOX, "label": "Hernia"}]}, "one of Fast, Irregular"),
        ({"boxes": [{**BOX, "w": 0.8}]}, "lie within its image"),
        ({"boxes": [{**BOX, "h": 0}]}, "have a width and a height"),
        ({"boxes": [{**BOX, "h": float("nan")}]}, "boxes within the image"),
        ({"boxes": [{**BOX, "x": -0.1}]}, "boxes within the image"),
        ({"boxes": [BOX] * (BOXES + 1)}, f"at most {BOXES} boxes"),
        ({"note": "x" * (NOTE + 1)}, f"{NOTE} letters"),
    ],
)
def test_what_no_reader_can_say_is_refused_with_the_rule(told, rule) -> None:
    with pytest.raises(BadInput, match=re.escape(rule)):
        said(told, LABELS)
