"""What the guardian has on record: of one experiment, whether it runs or has ended."""

from __future__ import annotations

from chexnet.adapters.memory import MemoryBus
from chexnet.experiments import decisions
from chexnet.experiments.control import read
from chexnet.experiments.decisions import By
from chexnet.experiments.guarded import Guarded, guarded
from chexnet.messages import Control
from tests.unit.experiments.records import START, experiment

ME = By(who="me", at=START)


def begin(bus: MemoryBus, name: str) -> Control:
    begun = experiment(name=name)
    return decisions.start(bus, read(bus, "xray"), begun, {"b": 2}, 1.0, [], ME)


def note(bus: MemoryBus, action: str, **evidence: object) -> None:
    decisions.note(bus, read(bus, "xray"), action, ME, {"version": 2, **evidence})


def test_what_is_on_record_is_of_the_experiment_in_which_it_was_seen() -> None:
    bus = MemoryBus()
    decisions.promote(bus, read(bus, "xray"), 1, [], [], {}, ME)
    first = begin(bus, "first")
    note(bus, "breach", guardrail="calibration", blamed=False)
    note(bus, "watched", images=100)
    decisions.stop(bus, read(bus, "xray"), ME, {})
    note(bus, "breach", guardrail="errors", blamed=True)  # Of no experiment.
    second = begin(bus, "second")
    note(bus, "breach", guardrail="latency", blamed=True)
    entries = list(decisions.history(bus, "xray"))
    seen = {"version": 2, "images": 100, "at": START.isoformat()}
    assert guarded(first, entries) == {"2": Guarded(watched=seen)}
    passed = {"version": 2, "guardrail": "latency", "blamed": True}
    assert guarded(second, entries) == {"2": Guarded(breaches=(passed,))}
