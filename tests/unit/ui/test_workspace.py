"""The workspace without a browser: messages go in as the page sends them, traits come out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chexnet import topics
from chexnet.adapters.gateway import Refusal, Sent
from chexnet.errors import Unavailable
from chexnet.messages import Control, Experiment, Feedback, Headers, Message, decode
from chexnet.ui import Workspace
from tests.unit.ui.stack import AT, Pipeline
from tests.waveform import signals

DATA = next(signals.draw(1)).data


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


@pytest.fixture
def workspace(pipeline: Pipeline) -> Iterator[Workspace]:
    made = Workspace(wiring=pipeline.wiring(), reader="ada")
    yield made
    made.close()


def until(condition: Callable[[], Any]) -> Any:
    """Return the condition's first true value, or fail after 10 s."""
    waiting = threading.Event()
    for _ in range(1000):
        if found := condition():
            return found
        waiting.wait(0.01)
    raise AssertionError("The condition never came true.")


def send(workspace: Workspace, data: bytes, name: str = "a.csv", piece: int = 1000) -> str:
    """Do what the page does with a file."""
    hear = workspace.uploads._handle_custom_msg
    hear({"type": "begin", "id": name, "name": name, "size": len(data)}, [])
    for at in range(0, len(data), piece):
        hear({"type": "piece", "id": name}, [memoryview(data[at : at + piece])])
    return name


def state(workspace: Workspace, name: str) -> str:
    return next((r["state"] for r in workspace.uploads.rows if r["name"] == name), "")


def tell(workspace: Workspace, **message: Any) -> None:
    workspace.case._handle_custom_msg({"id": workspace.uploads.chosen, **message}, [])


def answered(workspace: Workspace, pipeline: Pipeline, **options: Any) -> None:
    """Bring one file to where it can be read."""
    send(workspace, DATA)
    upload = until(pipeline.uploads)[0]
    pipeline.check(upload)
    pipeline.predict(upload, **options)
    until(lambda: state(workspace, "a.csv") == "predicted")


def test_a_file_goes_from_sent_to_checked_to_predicted(workspace, pipeline) -> None:
    send(workspace, DATA)
    until(lambda: state(workspace, "a.csv") == "sent")
    pipeline.check(pipeline.uploads()[0])
    until(lambda: state(workspace, "a.csv") == "checked")
    pipeline.predict(pipeline.uploads()[0])
    until(lambda: state(workspace, "a.csv") == "predicted")


def test_neither_name_nor_patient_of_a_file_reaches_the_bus(workspace, pipeline) -> None:
    send(workspace, DATA, name="Lovelace-1815.csv")
    (upload,) = until(pipeline.uploads)
    assert b"Lovelace" not in upload.value + str(upload.headers).encode()
    assert b"patient" not in upload.value


def test_a_refused_file_says_why_and_others_go_on(workspace, pipeline) -> None:
    send(workspace, b"not a trace", name="bad.csv")
    until(lambda: state(workspace, "bad.csv") == "refused")
    assert "one number a line" in workspace.uploads.rows[0]["error"]
    send(workspace, DATA, name="good.csv")
    until(lambda: state(workspace, "good.csv") == "sent")


def test_a_dead_letter_shows_its_reason_on_the_file(workspace, pipeline) -> None:
    send(workspace, DATA)
    pipeline.reject(until(pipeline.uploads)[0], "Its lead fell off.")
    until(lambda: state(workspace, "a.csv") == "refused")
    assert workspace.uploads.rows[0]["error"] == "Its lead fell off."


def test_a_file_over_the_limit_is_refused_before_it_is_sent(pipeline) -> None:
    workspace = Workspace(wiring=pipeline.wiring(largest=2**20))
    hear = workspace.uploads._handle_custom_msg
    hear({"type": "begin", "id": "big", "name": "big", "size": 3 * 2**20}, [])
    until(lambda: state(workspace, "big") == "refused")
    assert "at most 1 MiB. Received: 3.0 MiB" in workspace.uploads.rows[0]["error"]
    workspace.close()


def test_no_output_reaches_the_page_before_a_reading(workspace, pipeline) -> None:
    answered(workspace, pipeline, cam=True)
    view = until(lambda: workspace.case.view.get("answered") and workspace.case.view)
    assert view["phase"] == "blinded"
    assert "outputs" not in view
    assert workspace.case.overlay == b""
    tell(workspace, type="map", label="Fast")  # Nor by asking for its heat map.
    assert workspace.case.overlay == b""


def test_a_reading_reveals_bars_thresholds_and_the_map_of_the_likeliest(
    workspace, pipeline
) -> None:
    answered(workspace, pipeline, cam=True)
    until(lambda: workspace.case.view.get("answered"))
    tell(workspace, type="record", findings={"Fast": "absent"})
    view = workspace.case.view
    assert view["outputs"][1] == {"label": "Irregular", "probability": 0.7, "threshold": 0.4}
    assert view["reading"] == {"Fast": "absent"}
    assert view["mapped"] == "Irregular"
    irregular = workspace.case.overlay
    assert irregular.startswith(b"\x89PNG")
    tell(workspace, type="map", label="Dropout")
    assert workspace.case.overlay not in (b"", irregular)
    tell(workspace, type="map", label="")
    assert workspace.case.overlay == b""


def test_a_network_without_maps_has_a_workspace_without_heat_map_controls(
    workspace, pipeline
) -> None:
    answered(workspace, pipeline, cam=False)
    until(lambda: workspace.case.view.get("answered"))
    tell(workspace, type="skip")
    assert (workspace.case.view["maps"], workspace.case.view["mapped"]) == (False, "")
    assert workspace.case.overlay == b""


def test_a_reading_that_says_nothing_is_answered_with_the_rule(workspace, pipeline) -> None:
    answered(workspace, pipeline)
    sent: list[dict[str, Any]] = []
    workspace.case.send = lambda content, **_: sent.append(content)
    tell(workspace, type="record", findings={})
    assert sent[0]["type"] == "problem"
    assert "at least one finding" in sent[0]["text"]


def test_the_version_is_hidden_while_an_experiment_runs(workspace, pipeline) -> None:
    answered(workspace, pipeline)
    until(lambda: workspace.case.view.get("answered"))
    tell(workspace, type="skip")
    control(pipeline, revision=1, experiment=None)
    until(lambda: workspace.case.view["source"] == "Version 3 (champion)")
    running = Experiment(
        name="e", design="split", salt="s", weights={"b": 1.0}, started_at=AT, started_by="ada"
    )
    control(pipeline, revision=2, experiment=running)
    until(lambda: "hidden" in workspace.case.view["source"])
    assert "3" not in workspace.case.view["source"]
    (feedback,) = pipeline.bus.read([topics.FEEDBACK]).to_end()
    assert decode(feedback, Feedback).shown == 3  # The record knows, the reader doesn't.


def control(pipeline: Pipeline, *, revision: int, experiment: Experiment | None) -> None:
    record = Control(
        model="waveform",
        revision=revision,
        champion=3,
        previous=None,
        experiment=experiment,
        arms={},
        exposure=0.0,
    )
    headers = Headers(schema="control/1", created_at=AT)
    pipeline.bus.send(
        [Message(topic=topics.CONTROL, key="waveform", value=record.encode(), headers=headers)]
    )


def test_cases_that_came_another_way_are_listed_too(workspace, pipeline) -> None:
    pipeline.send(DATA)
    pipeline.check(pipeline.uploads()[0])
    until(lambda: len(workspace.uploads.rows) == 1)
    assert workspace.uploads.rows[0]["state"] == "checked"


def test_a_bus_faster_than_the_gateways_answer_makes_no_second_case(workspace, pipeline) -> None:
    accept = pipeline.send

    def slow(data: bytes) -> Any:
        made = accept(data)
        pipeline.check(pipeline.uploads()[0])
        until(lambda: len(workspace.uploads.rows) == 2)  # The file's, and the one from the bus.
        return made

    pipeline.send = slow
    send(workspace, DATA)
    until(lambda: state(workspace, "a.csv") == "checked")
    assert len(workspace.uploads.rows) == 1


def test_an_archive_becomes_a_case_for_each_member_and_its_bad_ones_say_why(
    workspace, pipeline
) -> None:
    good, bad = pipeline.send(DATA), pipeline.send(b"hello")
    answer = Sent(
        uploads=good.uploads, refused=[Refusal(index=1, code="x", reason=bad.refused[0].reason)]
    )
    pipeline.send = lambda data: answer
    send(workspace, b"PK", name="all.zip")
    until(lambda: state(workspace, "all.zip · 2") == "refused")
    assert state(workspace, "all.zip · 1") == "sent"
    assert state(workspace, "all.zip") == ""


def test_the_notice_is_always_there(workspace) -> None:
    assert "not a medical device" in workspace.children[0].value


def test_a_bus_that_is_away_is_told_and_comes_back(pipeline, monkeypatch) -> None:
    read, away = pipeline.bus.read, threading.Event()
    away.set()

    def flaky(*args: Any, **options: Any) -> Any:
        if away.is_set():
            raise Unavailable("Waiting for Kafka at 127.0.0.1:9092.")
        return read(*args, **options)

    monkeypatch.setattr(pipeline.bus, "read", flaky)
    workspace = Workspace(wiring=pipeline.wiring(), reader="ada")
    until(lambda: "Waiting for Kafka" in workspace.children[0].value)
    away.clear()
    until(lambda: "Connected" in workspace.children[0].value)
    workspace.close()
