from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chexnet import topics
from chexnet.errors import BadInput, Refused, Unavailable
from chexnet.messages import Feedback, decode
from chexnet.ui.cases import Case, Cases
from chexnet.ui.reading import Readings
from tests.unit.ui.stack import Pipeline
from tests.waveform import signals

TEN = datetime(2026, 1, 2, 10, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.at = TEN

    def __call__(self) -> datetime:
        self.at += timedelta(minutes=1)
        return self.at


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


@pytest.fixture
def readings(pipeline: Pipeline) -> Readings:
    return Readings(pipeline.bus, "ada", pipeline.source.labels, Clock())


def a_case(pipeline: Pipeline, *, answered: bool, number: int = 0) -> Case:
    data = next(signals.draw(1, start=number)).data
    (made,) = pipeline.send(data).uploads
    upload = next(u for u in pipeline.uploads() if u.headers.upload_id == made.upload_id)
    pipeline.check(upload)
    if answered:
        pipeline.predict(upload)
    cases = Cases(pipeline.source)
    for message in pipeline.bus.read([topics.IMAGES, topics.PREDICTIONS]).to_end():
        cases.see(message)
    return next(c for c in cases.all() if c.upload_id == made.upload_id)


def recorded(pipeline: Pipeline) -> list[Feedback]:
    return [decode(m, Feedback) for m in pipeline.bus.read([topics.FEEDBACK]).to_end()]


def test_a_reading_before_any_output_is_blinded_and_names_no_version(pipeline, readings) -> None:
    case = a_case(pipeline, answered=True)
    assert readings.phase(case) == "blinded"
    readings.record(case, {"Fast": "present", "Irregular": "unsure", "Dropout": "not_assessed"})
    (feedback,) = recorded(pipeline)
    assert (feedback.protocol, feedback.shown, feedback.shown_at) == ("blinded", None, None)
    assert feedback.findings == {"Fast": "present", "Irregular": "unsure"}
    assert (feedback.reader, feedback.unit, feedback.image_id) == ("ada", case.unit, case.image_id)
    assert readings.phase(case) == "revealed"


def test_a_reading_after_the_output_was_shown_is_assisted_by_that_version(
    pipeline, readings
) -> None:
    case = a_case(pipeline, answered=True)
    readings.record(case, {"Fast": "present"})
    readings.show(case)
    readings.record(case, {"Fast": "absent"})
    readings.record(case, {"Fast": "unsure"})
    blinded, first, second = recorded(pipeline)
    assert [f.protocol for f in (blinded, first, second)] == ["blinded", "assisted", "assisted"]
    assert (first.shown, first.shown_at) == (3, TEN + timedelta(minutes=2))
    assert first.supersedes is None  # The blinded reading stands for ever.
    assert second.supersedes == first.feedback_id


def test_a_blinded_reading_changed_before_the_output_came_supersedes_the_first(
    pipeline, readings
) -> None:
    case = a_case(pipeline, answered=False)
    readings.record(case, {"Fast": "present"})
    assert readings.phase(case) == "waiting"
    readings.record(case, {"Fast": "absent"})
    first, second = recorded(pipeline)
    assert second.protocol == "blinded"
    assert second.supersedes == first.feedback_id


def test_no_output_is_shown_before_a_reading(pipeline, readings) -> None:
    with pytest.raises(Refused, match="own findings are recorded"):
        readings.show(a_case(pipeline, answered=True))


def test_skipping_shows_the_output_and_makes_every_later_reading_assisted(
    pipeline, readings
) -> None:
    case = a_case(pipeline, answered=True)
    readings.skip(case)
    assert readings.phase(case) == "revealed"
    readings.record(case, {"Fast": "present"})
    shown, later = recorded(pipeline)
    assert (shown.findings, shown.protocol, shown.shown) == ({}, "assisted", 3)
    assert later.protocol == "assisted"


def test_the_same_image_uploaded_again_is_not_read_blinded_again(pipeline, readings) -> None:
    readings.skip(a_case(pipeline, answered=True))
    again = a_case(pipeline, answered=False)
    readings.record(again, {"Fast": "present"})
    assert recorded(pipeline)[-1].protocol == "assisted"


def test_another_session_of_the_reader_remembers_what_was_shown(pipeline, readings) -> None:
    case = a_case(pipeline, answered=True)
    readings.record(case, {"Fast": "present"})
    tomorrow = Readings(pipeline.bus, "ada", pipeline.source.labels)
    tomorrow.recall()
    assert tomorrow.phase(case) == "revealed"
    other = Readings(pipeline.bus, "grace", pipeline.source.labels)
    other.recall()
    assert other.phase(case) == "blinded"


def test_a_reading_must_say_something_of_findings_that_exist(pipeline, readings) -> None:
    case = a_case(pipeline, answered=True)
    with pytest.raises(Refused, match="at least one finding"):
        readings.record(case, {"Fast": "not_assessed"})
    with pytest.raises(BadInput, match="Fast, Irregular, Dropout"):
        readings.record(case, {"Hernia": "present"})
    assert recorded(pipeline) == []


def test_a_reading_that_the_bus_did_not_take_reveals_nothing(pipeline, readings) -> None:
    case = a_case(pipeline, answered=True)

    class Down(type(pipeline.bus)):
        def send(self, messages) -> None:
            raise Unavailable("Waiting for Kafka.")

    down = Readings(Down(), "ada", pipeline.source.labels)
    for attempt in (lambda: down.record(case, {"Fast": "present"}), lambda: down.skip(case)):
        with pytest.raises(Unavailable):
            attempt()
        assert down.phase(case) == "blinded"
