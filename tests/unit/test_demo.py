"""The demo waits for the guardian before it asks for a promotion, and tells a stop as a refusal."""

from __future__ import annotations

import importlib.util
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from tests.playbooks import ROOT

CHALLENGER = 2


@pytest.fixture
def demo() -> Any:
    spec = importlib.util.spec_from_file_location("demo", ROOT / "playbooks/demo.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


class Platform:
    """Answers the demo's commands; its guardian needs some looks before it says anything."""

    def __init__(self, looks: int, *, stops: bool) -> None:
        self.looks, self.stops, self.asked = looks, stops, 0

    def __call__(self, *argv: object, check: bool = True) -> Any:
        if argv[0] == "audit":
            return [{"action": "stop", "who": "guardian", "reason": "Guardrail latency: slow."}]
        if argv[0] == "status":
            over = self.stops and self.asked >= self.looks
            return {"control": {"arms": {} if over else {"b": CHALLENGER}}}
        self.asked += 1
        seen = {"images": 205} if self.asked > self.looks and not self.stops else None
        return {"arms": {"b": {"guardrails": {"watched": seen}}}}


@pytest.fixture
def clock(demo: Any) -> None:
    demo.time = SimpleNamespace(monotonic=count().__next__)


@pytest.mark.usefixtures("clock")
def test_it_waits_until_the_guardian_has_seen_the_challenger_well(demo: Any) -> None:
    demo.chexnet = Platform(3, stops=False)
    assert demo.watched(CHALLENGER)
    assert demo.chexnet.asked == 4


@pytest.mark.usefixtures("clock")
def test_where_the_guardian_says_nothing_the_gate_is_asked_all_the_same(demo: Any) -> None:
    demo.chexnet = Platform(10_000, stops=False)
    assert demo.watched(CHALLENGER)
    assert 0 < demo.chexnet.asked < demo.PATIENCE


@pytest.mark.usefixtures("clock")
def test_an_experiment_that_the_guardian_stops_ends_as_a_refusal(
    demo: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    demo.chexnet = Platform(2, stops=True)
    assert not demo.watched(CHALLENGER)
    assert demo.stopped() == demo.REFUSED
    assert "Guardrail latency" in capsys.readouterr().out
