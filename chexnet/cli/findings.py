"""The names of findings, as people type and read them."""

from __future__ import annotations

from collections.abc import Sequence

import typer


def known(name: str, labels: Sequence[str], what: str = "A finding") -> str:
    """Return the label that is meant: a space may stand for its underscore, and case is free.

    Args:
        name: as it was typed.
        labels: of the input.
        what: must be one of them, in the error.
    """
    meant = {plain(label): label for label in labels}
    if plain(name) not in meant:
        rule = f"{what} must be one of {', '.join(labels)}."
        raise typer.BadParameter(f"{rule} Received: {name}. Correct the name.")
    return meant[plain(name)]


def plain(name: str) -> str:
    """Return what two ways to write a name have in common."""
    return name.strip().replace("_", " ").casefold()


def words(label: str) -> str:
    """Return the label as the workspace has it."""
    return label.replace("_", " ")
