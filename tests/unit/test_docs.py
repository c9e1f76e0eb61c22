"""What a user can set, name or call is in the documentation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel

from chexnet import topics
from chexnet.cli.main import app
from chexnet.settings import Settings

ROOT = Path(__file__).parents[2]


def variables(model: type[BaseModel], prefix: str = "CHEXNET_") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from variables(kind, f"{prefix}{name.upper()}__")
        else:
            yield f"{prefix}{name.upper()}"


def commands(group: typer.core.TyperGroup, path: str = "chexnet") -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}"


@pytest.mark.parametrize("variable", variables(Settings))
def test_every_setting_is_documented(variable: str) -> None:
    assert f"`{variable}`" in (ROOT / "docs/settings.md").read_text()


@pytest.mark.parametrize("topic", topics.ALL)
def test_every_topic_is_documented(topic: str) -> None:
    assert f"| `{topic}` |" in (ROOT / "docs/architecture.md").read_text()


@pytest.mark.parametrize("command", commands(typer.main.get_command(app)))
def test_every_command_is_documented(command: str) -> None:
    assert f"`{command}" in (ROOT / "docs/commands.md").read_text()
