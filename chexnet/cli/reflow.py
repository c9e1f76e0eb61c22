"""Help that fits any terminal: docstrings are broken where the code's lines end."""

from __future__ import annotations

import inspect

import typer


def reflow(group: typer.Typer) -> None:
    """Give each command of a group its docstring as paragraphs of one line."""
    for command in group.registered_commands:
        command.help = paragraphs(inspect.getdoc(command.callback) or "")
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            reflow(inner.typer_instance)


def paragraphs(text: str) -> str:
    """Return the text without the line breaks inside its paragraphs; what is indented stays."""
    return "\n\n".join(
        part if "\n " in part else part.replace("\n", " ") for part in text.split("\n\n")
    )
