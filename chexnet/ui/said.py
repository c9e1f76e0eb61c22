"""What a reader said of an image, as a page tells it: checked, since a page can't be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, get_args

import msgspec
from msgspec import Meta, Struct

from chexnet.errors import BadInput
from chexnet.messages import BOXES, NOTE, Box, Presence

SLACK = 1e-6  # Of a share: sums of rounded numbers.


class Said(Struct, frozen=True, kw_only=True):
    """Findings, where they are, and a note."""

    findings: dict[str, Presence] = {}
    boxes: Annotated[tuple[Box, ...], Meta(max_length=BOXES)] = ()
    note: Annotated[str, Meta(max_length=NOTE)] = ""

    @property
    def assessed(self) -> dict[str, Presence]:
        """The findings of which something was said."""
        return {name: said for name, said in self.findings.items() if said != "not_assessed"}


def said(told: Mapping[str, object], labels: tuple[str, ...]) -> Said:
    """Return what a page told.

    Args:
        told: findings, boxes and note; what is left out was not said.
        labels: the findings that may be named.

    Raises:
        BadInput: it is nothing that a reader can say.
    """
    try:
        made = msgspec.convert(dict(told), Said)
    except msgspec.ValidationError as error:
        rule = (
            f"A finding must be {', '.join(get_args(Presence))}; a reading has at most {BOXES} "
            f"boxes within the image and {NOTE} letters."
        )
        raise BadInput("reading", f"{rule} Received: {error}. Correct it.") from error
    named = [*made.findings, *(box.label for box in made.boxes)]
    if unknown := [name for name in named if name not in labels]:
        rule = f"A finding must be one of {', '.join(labels)}."
        raise BadInput("label", f"{rule} Received: {unknown[0]!r}. Use a name of the list.")
    for box in made.boxes:
        if not (_fits(box.x, box.w) and _fits(box.y, box.h)):
            rule = "A box must have a width and a height, and lie within its image."
            raise BadInput("box", f"{rule} Received: {box}. Draw it again.")
    return made


def _fits(start: float, length: float) -> bool:
    return length > 0 and start + length <= 1 + SLACK
