from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chexnet import topics
from chexnet.errors import BadInput, Refused, Unavailable
from chexnet.messages import Box, Feedback, decode
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
    readings.record(
        case, {"findings": {"Fast": "present", "Irregular": "unsure", "Dropout": "not_assessed"}}
    )
    (feedback,) = recorded(pipeline)
    assert (feedback.protocol, feedback.shown, feedback.shown_at) == ("blinded", None, None)
    assert feedback.findings == {"Fast": "present", "Irregular": "unsure"}
    assert (feedback.reader, feedback.unit, feedback.image_id) == ("ada", case.unit, case.image_id)
    assert readings.phase(case) == "revealed"


def test_a_reading_after_the_output_was_shown_is_assisted_by_that_version(
    pipeline, readings
) -> None:
    case = a_case(pipeline, answered=True)
    readings.record(case, {"findings": {"Fast": "present"}})
    readings.show(case)
    readings.record(case, {"findings": {"Fast": "absent"}})
    readings.record(case, {"findings": {"Fast": "unsure"}})
    blinded, first, second = recorded(pipeline)
    assert [f.protocol for f in (blinded, first, second)] == ["blinded", "assisted", "assisted"]
    assert (first.shown, first.shown_at) == (3, TEN + timedelta(minutes=2))
    assert first.supersedes is None  # The blinded reading stands for ever.
    assert second.supersedes == first.feedback_id


def test_a_blinded_reading_changed_before_the_output_came_supersedes_the_first(
    pipeline, readings
) -> None:
    case = a_case(pipeline, answered=False)
    readings.record(case, {"findings": {"Fast": "present"}})
    assert readings.phase(case) == "waiting"
    readings.record(case, {"findings": {"Fast": "absent"}})
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
    readings.record(case, {"findings": {"Fast": "present"}})
    shown, later = recorded(pipeline)
    assert (shown.findings, shown.protocol, shown.shown) == ({}, "assisted", 3)
    assert later.protocol == "assisted"


def test_the_same_image_uploaded_again_is_not_read_blinded_again(pipeline, readings) -> None:
    readings.skip(a_case(pipeline, answered=True))
    again = a_case(pipeline, answered=False)
    readings.record(again, {"findings": {"Fast": "present"}})
    assert recorded(pipeline)[-1].protocol == "assisted"


def test_another_session_of_the_reader_remembers_what_was_shown(pipeline, readings) -> None:
    case = a_case(pipeline, answered=True)
    readings.record(case, {"findings": {"Fast": "present"}})
    tomorrow = Readings(pipeline.bus, "ada", pipeline.source.labels)
    tomorrow.recall()
    assert tomorrow.phase(case) == "revealed"
    other = Readings(pipeline.bus, "grace", pipeline.source.labels)
    other.recall()
    assert other.phase(case) == "blinded"


def test_a_reading_must_say_something_of_findings_that_exist(pipeline, readings) -> None:
    case = a_case(pipeline, answered=True)
    with pytest.raises(Refused, match="at least one finding"):
        readings.record(case, {"findings": {"Fast": "not_assessed"}})
    with pytest.raises(BadInput, match="Fast, Irregular, Dropout"):
        readings.record(case, {"findings": {"Hernia": "present"}})
    assert recorded(pipeline) == []


def test_a_reading_that_the_bus_did_not_take_reveals_nothing(pipeline, readings) -> None:
    case = a_case(pipeline, answered=True)

    class Down(type(pipeline.bus)):
        def send(self, messages) -> None:
            raise Unavailable("Waiting for Kafka.")

    down = Readings(Down(), "ada", pipeline.source.labels)
    for attempt in (
        lambda: down.record(case, {"findings": {"Fast": "present"}}),
        lambda: down.skip(case),
    ):
        with pytest.raises(Unavailable):
            attempt()
        assert down.phase(case) == "blinded"


def test_what_another_session_showed_a_moment_ago_makes_a_reading_assisted(
    pipeline, readings
) -> None:
    case = a_case(pipeline, answered=True)
    Readings(pipeline.bus, "ada", pipeline.source.labels).skip(case)
    with pytest.raises(Refused, match="another window may have shown it"):
        readings.record(case, {"findings": {"Fast": "present"}}, expects="blinded")
    assert len(recorded(pipeline)) == 1
    readings.record(case, {"findings": {"Fast": "present"}}, expects="assisted")
    assert recorded(pipeline)[-1].protocol == "assisted"


def test_what_is_recorded_once_is_not_recorded_twice_by_a_held_key(pipeline, readings) -> None:
    case = a_case(pipeline, answered=True)
    readings.record(case, {"findings": {"Fast": "present"}}, expects="blinded")
    readings.show(case)
    with pytest.raises(Refused, match="recorded once"):
        readings.record(case, {"findings": {"Fast": "present"}}, expects="blinded")
    assert len(recorded(pipeline)) == 1


def test_ones_own_record_coming_back_shows_nothing(pipeline, readings) -> None:
    case = a_case(pipeline, answered=False)
    readings.record(case, {"findings": {"Fast": "present"}})
    readings.recall()
    assert readings.record(case, {"findings": {"Fast": "absent"}}).protocol == "blinded"


def test_an_older_record_that_is_seen_again_does_not_replace_a_newer(pipeline, readings) -> None:
    case = a_case(pipeline, answered=True)
    readings.skip(case)
    for said in ("present", "absent"):
        readings.record(case, {"findings": {"Fast": said}})
    other = Readings(pipeline.bus, "ada", pipeline.source.labels)
    messages = list(pipeline.bus.read([topics.FEEDBACK]).to_end())
    for message in [*messages, *messages[:2]]:
        other.see(message)
    assert other.of(case)[1].findings == {"Fast": "absent"}


def test_a_finding_says_one_of_four_things(pipeline, readings) -> None:
    case = a_case(pipeline, answered=True)
    with pytest.raises(BadInput, match="present, absent, unsure, not_assessed"):
        readings.record(case, {"findings": {"Fast": "probably"}})


def test_boxes_and_a_note_are_recorded_with_the_findings(pipeline, readings) -> None:
    box = {"label": "Fast", "x": 0.1, "y": 0.2, "w": 0.3, "h": 0.4}
    case = a_case(pipeline, answered=True)
    readings.record(case, {"findings": {"Fast": "present"}, "boxes": [box], "note": "Twice."})
    (feedback,) = recorded(pipeline)
    assert feedback.boxes == (Box(label="Fast", x=0.1, y=0.2, w=0.3, h=0.4),)
    assert feedback.note == "Twice."
