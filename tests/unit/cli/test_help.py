"""Help is broken where the terminal ends, not where the code's lines did."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import typer
from typer.testing import CliRunner

from chexnet.cli.main import app
from chexnet.cli.reflow import paragraphs


def commands(group: typer.core.TyperGroup) -> Iterator[typer.core.TyperCommand]:
    for command in group.commands.values():
        if isinstance(command, typer.core.TyperGroup):
            yield from commands(command)
        else:
            yield command


def test_lines_of_a_paragraph_become_one_and_what_is_indented_stays() -> None:
    assert paragraphs("a\nb\n\nc:\n    d\n    e") == "a b\n\nc:\n    d\n    e"


@pytest.mark.parametrize(
    "command", [*commands(typer.main.get_command(app))], ids=lambda command: command.name
)
def test_each_commands_help_is_reflowed(command: typer.core.TyperCommand) -> None:
    assert command.help
    assert paragraphs(command.help) == command.help


def test_a_line_is_as_long_as_the_terminal_allows() -> None:
    env = {"COLUMNS": "80", "TERMINAL_WIDTH": "80"}
    told = CliRunner().invoke(app, ["experiment", "start", "--help"], env=env).stdout
    assert "so that it needs far fewer cases" in told
