"""Which pipelines a runner works for."""

from __future__ import annotations

import pytest

from chexnet.settings import RunnerSettings


@pytest.mark.parametrize(
    ("patterns", "does"),
    [
        ("*", ["images", "dataset", "models-a"]),
        ("models-*", ["models-a"]),
        ("images, dataset", ["images", "dataset"]),
        ("", []),
    ],
)
def test_a_runner_does_the_pipelines_that_its_patterns_name(patterns: str, does: list[str]) -> None:
    settings = RunnerSettings(pipelines=patterns)
    assert [n for n in ("images", "dataset", "models-a") if settings.does(n)] == does
