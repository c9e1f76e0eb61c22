"""From two trained lines to a promoted version and back, over the memory adapters."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from chexnet import release, topics
from chexnet.adapters.memory import MemoryBus, MemoryStore
from chexnet.errors import Refused
from chexnet.experiments import decisions
from chexnet.experiments.assignment import assign
from chexnet.experiments.control import read
from chexnet.experiments.decisions import By
from chexnet.experiments.readiness import missing
from chexnet.experiments.references import Row, feedback, message
from chexnet.experiments.review import Review, review
from chexnet.messages import CHAMPION, Experiment, Headers, Message, Prediction
from chexnet.models import card as cards
from chexnet.models.card import Card
from tests.unit.experiments.fakes import Answers, Replica
from tests.unit.experiments.records import START, experiment, prediction
from tests.unit.test_release import CARD

LABELS = ("Effusion", "Mass")
NOW = START + timedelta(days=1)
ME = By(who="me", at=NOW)
SKILL = {1: 0.7, 2: 1.6}  # How far a version's scores part images with and without a finding.


class World:
    """A pipeline with one replica, and 200 images of 100 patients whose findings are known."""

    def __init__(self, models: Path) -> None:
        self.bus, self.store, self.replica = MemoryBus(), MemoryStore(), Replica()
        self.models, self.guardian = models, True
        rng = np.random.default_rng(0)
        self.truth = rng.random((200, 2)) < 0.4
        self.noise = rng.normal(0, 1, (3, 200, 2))

    def release(self, line: str) -> int:
        card = msgspec.structs.replace(CARD, line=line, training_units=(f"{line}-patient", "p0"))
        golden, version = io.BytesIO(), len(release.records(self.store)) + 1
        answer = np.full((2, 1), version, np.float32)  # As Replica answers.
        np.savez(golden, x=np.zeros((2, 1), np.uint8), probabilities=answer)
        files = {"saved_model.pb": b"", cards.CARD: card.encode(), cards.GOLDEN: golden.getvalue()}
        self.store.ensure(f"models-{line}")
        self.store.write(f"models-{line}", {f"/release/{k}": v for k, v in files.items()})
        made = release.publish(
            self.store, self.models, model="xray", line=line, commit=None, who="me", at=NOW
        )
        decisions.keep(self.bus, "xray", made.version, ME, {"commit": made.commit})
        self.replica.states_by_version[made.version] = "AVAILABLE"
        return made.version

    def unready(self, version: int) -> list[str]:
        return missing(version, {"one": self.replica}, Answers(version))

    def start(self, wanted: Experiment, exposure: float) -> None:
        looked = read(self.bus, "xray")
        decisions.start(self.bus, looked, wanted, {"b": 2}, exposure, self.unready(2), ME)

    def watch(self) -> None:
        """Say that all is well, as the guardian does."""
        seen = {"version": 2, "images": 100, "figures": []}
        decisions.note(self.bus, read(self.bus, "xray"), "watched", ME, seen)

    def predict(self, images: range) -> None:
        """Answer and shadow as router and shadow do, by control and the unit."""
        control = read(self.bus, "xray")
        for n in images:
            unit = f"p{n // 2}"
            assigned = assign(control, unit)
            at = control.revision
            self._said(n, unit, *assigned.answer, topics.PREDICTIONS, at)
            for arm, version in assigned.shadows.items():
                self._said(n, unit, arm, version, topics.SHADOW, at)
        if self.guardian:
            self.watch()

    def _said(
        self, n: int, unit: str, arm: str, version: int, topic: topics.Topic, revision: int
    ) -> None:
        scores = SKILL[version] * self.truth[n] + self.noise[0, n] + 0.5 * self.noise[version, n]
        said: Prediction = prediction(
            f"i{n}",
            unit,
            arm,
            dict(zip(LABELS, scores.tolist(), strict=True)),
            kind="answer" if topic is topics.PREDICTIONS else "shadow",
            revision=revision,
        )
        headers = Headers(schema="prediction/1", created_at=START)
        self.bus.send([Message(topic=topic, key=unit, value=said.encode(), headers=headers)])

    def read(self, images: range) -> None:
        words = np.where(self.truth, "present", "absent").tolist()
        rows = [Row(f"i{n}", dict(zip(LABELS, words[n], strict=True))) for n in images]
        observed = [prediction(f"i{n}", f"p{n // 2}", CHAMPION, {}) for n in images]
        made, _ = feedback(rows, observed, reader="r", protocol="blinded", at=NOW)
        self.bus.send([message(one) for one in made])

    def review(self, until: datetime = NOW) -> Review:
        return review(self.bus, self.store, read(self.bus, "xray"), until=until)

    def promote(self, version: int) -> None:
        looked = read(self.bus, "xray")
        unproven, evidence = [], {}
        if looked.champion is not None:
            finding = self.review().arms["b"]
            unproven, evidence = list(finding.missing), finding.plain()
        unready = self.unready(version)
        decisions.promote(self.bus, looked, version, unready, unproven, evidence, ME)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path / "xray")
    assert made.release("a") == 1
    made.promote(1)
    assert made.release("b") == 2
    return made


@pytest.mark.parametrize(("design", "exposure"), [("shadow", 1.0), ("split", 0.5)])
def test_a_better_challenger_is_refused_until_read_and_then_promoted(
    world: World, design: str, exposure: float
) -> None:
    cases = 198 if design == "shadow" else 80  # Of those, a split has the first 80 in each arm.
    world.start(experiment(design=design, min_positive=5, min_cases=cases), exposure)
    world.predict(range(200))
    with pytest.raises(Refused, match=r"Missing: \(1\) .*at least \d+ cases.*\(2\) One label"):
        world.promote(2)
    world.read(range(200))
    finding = world.review().arms["b"]
    assert finding.missing == ()
    # Patient p0 was in the training set of both; two images each.
    assert (finding.comparison.counts.trained_patients, finding.comparison.counts.blinded) == (
        1,
        198 if design == "shadow" else 160,
    )
    assert finding.comparison.cases == {CHAMPION: cases, "b": cases}
    assert finding.comparison.counts.unplanned == (0 if design == "shadow" else 38)
    world.promote(2)
    control = read(world.bus, "xray")
    assert (control.champion, control.previous) == (2, 1)
    entry = list(decisions.history(world.bus, "xray"))[-1]
    assert entry.evidence["comparison"]["difference"]["low"] > 0
    decisions.rollback(world.bus, control, world.unready(1), ME)
    assert read(world.bus, "xray").champion == 1


def test_a_worse_challenger_is_refused_with_its_interval(world: World, monkeypatch) -> None:
    monkeypatch.setitem(SKILL, 2, 0.2)
    world.start(experiment(min_positive=5, min_cases=50), 1.0)
    world.predict(range(200))
    world.read(range(200))
    with pytest.raises(Refused, match=r"interval of the macro .* margin 0\. Received: -0\.\d{4}"):
        world.promote(2)
    assert read(world.bus, "xray").champion == 1


def test_a_version_that_was_unloaded_is_not_promoted(world: World) -> None:
    world.start(experiment(min_positive=5, min_cases=50), 1.0)
    world.predict(range(200))
    world.read(range(200))
    world.replica.states_by_version[2] = "END"
    with pytest.raises(Refused, match="version 2, END on one"):
        world.promote(2)


def test_a_review_is_plain_json(world: World) -> None:
    world.start(experiment(), 1.0)
    world.predict(range(10))
    plain = msgspec.json.decode(msgspec.json.encode(world.review().plain()))
    assert plain["versions"] == {CHAMPION: 1, "b": 2}
    assert plain["arms"]["b"]["comparison"]["counts"]["unread"] == 8  # Without p0's two.


def test_without_an_experiment_there_is_nothing_to_review(world: World) -> None:
    with pytest.raises(Refused, match="running experiment"):
        world.review()


def test_the_card_says_whom_a_version_learnt_from(world: World) -> None:
    card: Card = release.card(world.store, release.read(world.store, 2))
    assert card.training_units == ("b-patient", "p0")


def test_a_challenger_that_the_guardian_has_not_seen_is_refused(world: World) -> None:
    world.guardian = False
    world.watch()  # Of no experiment, or an earlier one: that says nothing of this one.
    world.start(experiment(min_positive=5, min_cases=50), 1.0)
    world.predict(range(200))
    world.read(range(200))
    with pytest.raises(Refused, match=r"Missing: \(1\) The guardian .* nothing yet of version 2\."):
        world.promote(2)
    world.watch()
    world.promote(2)
    evidence = list(decisions.history(world.bus, "xray"))[-1].evidence
    assert evidence["guardrails"]["watched"]["images"] == 100


def test_a_challenger_that_has_passed_a_guardrail_is_refused_with_its_figures(world: World) -> None:
    world.start(experiment(min_positive=5, min_cases=50), 1.0)
    world.predict(range(200))
    world.read(range(200))
    told = {"guardrail": "calibration", "version": 2, "value": 7.0, "limit": 5.0}
    decisions.note(world.bus, read(world.bus, "xray"), "breach", ME, {**told, "blamed": False})
    assert world.review().arms["b"].missing == ()
    passed = {"guardrail": "errors", "version": 2, "value": 0.2, "limit": 0.05, "blamed": True}
    decisions.note(world.bus, read(world.bus, "xray"), "breach", ME, passed)
    with pytest.raises(Refused, match=r"Received: version 2, errors 0\.2 \(at most 0\.05\)"):
        world.promote(2)
