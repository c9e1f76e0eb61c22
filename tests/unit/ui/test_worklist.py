from __future__ import annotations

import threading

import pytest

from chexnet import topics
from chexnet.errors import Unavailable
from chexnet.experiments.worklist import included
from chexnet.messages import Feedback, decode
from chexnet.models.card import Card
from chexnet.ui.cards import Cards
from chexnet.ui.cases import Cases
from chexnet.ui.reading import Readings
from chexnet.ui.worklist import Worklist
from tests.unit.ui.stack import Pipeline, a_card, until
from tests.waveform import signals

# Dropout is nearest: 0.2 is two thirds of the way to 0.3, so 0.1 + 0.9 * 2 / 3.
CHANCE = 0.7


def test_a_reading_records_its_chance_on_the_worklist_and_none_off_it() -> None:
    pipeline, cases = Pipeline(), Cases(Pipeline().source)
    cards = Cards(lambda version: a_card())
    until(lambda: cards.of(3))
    worklist = Worklist("waveform", cards)
    readings = Readings(pipeline.bus, "ada", pipeline.source.labels, propensity=worklist.propensity)
    for signal in signals.draw(12):
        pipeline.send(signal.data)
    for upload in pipeline.uploads():
        pipeline.check(upload)
        pipeline.predict(upload)
    for message in pipeline.bus.read([topics.IMAGES, topics.PREDICTIONS]).to_end():
        cases.see(message)
    waiting = worklist.waiting(cases.all(), readings)
    drawn = {c.image_id for c in cases.all() if included("waveform", c.image_id, CHANCE)}
    assert {case.image_id for case in waiting} == drawn
    for case in cases.all():
        readings.record(case, {"findings": {"Fast": "absent"}})
    assert worklist.waiting(cases.all(), readings) == []
    recorded = [decode(m, Feedback) for m in pipeline.bus.read([topics.FEEDBACK]).to_end()]
    chances = {feedback.image_id: feedback.propensity for feedback in recorded}
    assert {image for image, chance in chances.items() if chance} == drawn
    assert [c for c in chances.values() if c] == pytest.approx([CHANCE] * len(drawn))
    assert 0 < len(drawn) < 12  # Or this would test nothing.


def test_what_has_no_prediction_yet_is_not_drawn() -> None:
    pipeline, cases = Pipeline(), Cases(Pipeline().source)
    pipeline.send(next(signals.draw(1)).data)
    pipeline.check(pipeline.uploads()[0])
    for message in pipeline.bus.read([topics.IMAGES]).to_end():
        cases.see(message)
    worklist = Worklist("waveform", Cards(lambda version: a_card()))
    assert worklist.propensity(cases.all()[0]) is None


def test_while_a_card_can_not_be_read_no_chance_is_recorded_and_the_reader_is_told() -> None:
    pipeline, cases = Pipeline(), Cases(Pipeline().source)
    pipeline.send(next(signals.draw(1)).data)
    pipeline.predict(pipeline.uploads()[0])
    for message in pipeline.bus.read([topics.PREDICTIONS]).to_end():
        cases.see(message)
    away = threading.Event()

    def read(version: int) -> Card:
        if not away.is_set():
            raise Unavailable("Waiting for the store.")
        return a_card()

    cards = Cards(read)
    worklist, (case,) = Worklist("waveform", cards), cases.all()
    readings = Readings(pipeline.bus, "ada", pipeline.source.labels, propensity=worklist.propensity)
    assert readings.record(case, {"findings": {"Fast": "absent"}}).propensity is None
    until(lambda: "Waiting for the store" in worklist.undrawn(case))
    away.set()
    until(lambda: worklist.undrawn(case) == "")
    drawn = included("waveform", case.image_id, CHANCE)
    assert worklist.propensity(case) == (pytest.approx(CHANCE) if drawn else None)
    cards.close()
