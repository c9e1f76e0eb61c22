"""NIH ChestX-ray14's own table, Data_Entry_2017.csv, in both editions: one image a line."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

IMAGE, FOUND = "Image Index", "Finding Labels"  # Columns that no other table has.
OLDEST = 120  # Years; the table has some of 412.


class Entry(Struct, frozen=True, kw_only=True):
    """What a line says; empty or None where it says nothing."""

    image: str  # The file's name.
    patient: str  # `nih-` and NIH's own number, nobody's real id; so in imports and evaluations.
    findings: frozenset[str]
    sex: str
    age: int | None  # In years.
    view: str


def entry(cells: Mapping[str, str]) -> Entry:
    """Return what a line says, from its cells by column."""
    number = cells.get("Patient ID", "")
    return Entry(
        image=cells[IMAGE],
        patient=f"nih-{number}" if number else "",
        findings=frozenset(cells[FOUND].split("|")),
        sex=cells.get("Patient Gender") or cells.get("Patient Sex") or "",
        age=years(cells.get("Patient Age", "")),
        view=cells.get("View Position", ""),
    )


def years(cell: str) -> int | None:
    """Return an age in years: 58, or 058Y as the first edition writes it, 012M being months."""
    read = re.fullmatch(r"0*(\d+)([YMD]?)", cell)
    if read is None:
        return None
    found = int(read[1]) if read[2] in {"", "Y"} else 0
    return found if found <= OLDEST else None
