"""What may be known of whom an image is, in groups: enough to compare them, and to name nobody."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from chexnet.inputs.nih import years

DETAILS = ("sex", "age", "view")  # Attributes that a table of images may tell.
AGES = (20, 40, 60, 80)  # Where an age group ends and the next begins, in years.
OLDEST = 120  # NIH's table has ages above 400: typing errors.


def age_group(age: int) -> str:
    """Return the group of an age in years; empty where nobody can be so old."""
    if not 0 <= age <= OLDEST:
        return ""
    start = max((first for first in AGES if first <= age), default=0)
    following = min((first for first in AGES if first > age), default=None)
    return f"{start}+" if following is None else f"{start}-{following - 1}"


def grouped(cells: Mapping[str, str]) -> dict[str, str]:
    """Return each attribute's group; empty where the cells don't tell."""
    age = years(cells.get("age", ""))
    group = "" if age is None else age_group(age)
    return {"sex": cells.get("sex", ""), "age": group, "view": cells.get("view", "")}


def columns(groups: NDArray[np.str_]) -> dict[str, NDArray[np.str_]]:
    """Return attribute → [n] groups of a dataset's [n, 3]; only attributes that an image has."""
    named = zip(DETAILS, groups.T, strict=True)
    return {name: column for name, column in named if column.any()}
