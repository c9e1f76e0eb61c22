"""The workspace without a browser: messages go in as the page sends them, traits come out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import structs

from chexnet import topics
from chexnet.adapters.gateway import Refusal, Sent
from chexnet.errors import Unavailable
from chexnet.inputs.base import Limits
from chexnet.messages import Control, Experiment, Feedback, Headers, Message, decode
from chexnet.models.card import Card
from chexnet.ui import Workspace
from tests.unit.ui.stack import AT, Pipeline, a_card, until
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


def send(
    workspace: Workspace,
    data: bytes,
    name: str = "a",
    piece: int = 1000,
    patient: str = "",
    first: bool = True,
) -> str:
    """Do what the page does with a file."""
    hear = workspace.uploads._handle_custom_msg
    start, *rest = range(0, max(len(data), 1), piece)
    message = {"type": "begin", "id": name, "size": len(data), "patient": patient, "first": first}
    hear(message, [memoryview(data[start : start + piece])])
    for at in rest:
        hear({"type": "piece", "id": name}, [memoryview(data[at : at + piece])])
    return name


def state(workspace: Workspace, name: str) -> str:
    return next((r["state"] for r in workspace.uploads.rows if r["id"] == name), "")


def tell(workspace: Workspace, **message: Any) -> None:
    workspace.case._handle_custom_msg({"id": workspace.uploads.chosen, **message}, [])


def answered(workspace: Workspace, pipeline: Pipeline, **options: Any) -> None:
    """Bring one file to where it can be read."""
    send(workspace, DATA)
    upload = until(pipeline.uploads)[0]
    pipeline.check(upload)
    pipeline.predict(upload, **options)
    until(lambda: state(workspace, "a") == "predicted")


def revealed(workspace: Workspace) -> dict[str, Any]:
    return until(lambda: workspace.case.view["phase"] == "revealed" and workspace.case.view)


def test_a_file_goes_from_sent_to_checked_to_predicted(workspace, pipeline) -> None:
    send(workspace, DATA)
    until(lambda: state(workspace, "a") == "sent")
    pipeline.check(pipeline.uploads()[0])
    until(lambda: state(workspace, "a") == "checked")
    pipeline.predict(pipeline.uploads()[0])
    until(lambda: state(workspace, "a") == "predicted")


def test_the_patient_of_a_file_does_not_reach_the_bus(workspace, pipeline) -> None:
    send(workspace, DATA, patient="Lovelace-1815")
    (upload,) = until(pipeline.uploads)
    assert b"Lovelace" not in upload.value + str(upload.headers).encode()


def test_a_patient_that_is_stated_goes_to_the_gateway_and_no_further(workspace, pipeline) -> None:
    given: list[str | None] = []
    accept = pipeline.send
    pipeline.send = lambda data, *, patient: given.append(patient) or accept(data)
    send(workspace, DATA, patient=" 1815 ")
    until(lambda: state(workspace, "a") == "sent")
    assert given == ["1815"]
    assert "1815" not in str(workspace.uploads.rows) + str(workspace.case.view)


def test_a_refused_file_says_why_and_others_go_on(workspace, pipeline) -> None:
    send(workspace, b"not a trace", name="bad")
    until(lambda: state(workspace, "bad") == "refused")
    assert "one number a line" in workspace.uploads.rows[0]["error"]
    send(workspace, DATA, name="good")
    until(lambda: state(workspace, "good") == "sent")


def test_a_dead_letter_shows_its_reason_on_the_file(workspace, pipeline) -> None:
    send(workspace, DATA)
    pipeline.reject(until(pipeline.uploads)[0], "Its lead fell off.")
    until(lambda: state(workspace, "a") == "refused")
    assert workspace.uploads.rows[0]["error"] == "Its lead fell off."


def test_a_file_over_the_limit_is_refused_before_it_is_sent(pipeline) -> None:
    workspace = Workspace(wiring=pipeline.wiring(Limits(encoded_bytes=2**20)))
    send(workspace, bytes(3 * 2**20), "big", piece=2**20)
    until(lambda: state(workspace, "big") == "refused")
    assert "at most 1 MiB. Received: 3 MiB" in workspace.uploads.rows[0]["error"]
    workspace.close()


def test_no_output_reaches_the_page_before_a_reading(workspace, pipeline) -> None:
    answered(workspace, pipeline, cam=True)
    view = until(lambda: workspace.case.view.get("answered") and workspace.case.view)
    assert view["phase"] == "blinded"
    assert "outputs" not in view
    assert "heat" not in view
    tell(workspace, type="map", label="Fast")  # Nor by asking for its heat map.
    assert "heat" not in workspace.case.view


def test_a_reading_reveals_bars_thresholds_and_the_map_of_the_likeliest(
    workspace, pipeline
) -> None:
    answered(workspace, pipeline, cam=True)
    until(lambda: workspace.case.view.get("answered"))
    tell(workspace, type="record", said={"findings": {"Fast": "absent"}}, expects="blinded")
    view = revealed(workspace)
    irregular = {"label": "Irregular", "probability": 0.7, "threshold": 0.4, "above": True}
    assert view["outputs"][1] == {**irregular, "word": ""}
    assert view["reading"]["findings"] == {"Fast": "absent"}
    assert view["mapped"] == "Irregular"
    assert view["heat"] == {"rows": 1, "columns": 8, "values": [0, 1, 0, 0, 0, 0, 0, 0]}
    tell(workspace, type="map", label="Dropout")
    assert workspace.case.view["heat"]["values"].index(1) == 2
    tell(workspace, type="map", label="")
    assert workspace.case.view["heat"] is None


def test_a_network_without_maps_has_a_workspace_without_heat_map_controls(
    workspace, pipeline
) -> None:
    answered(workspace, pipeline, cam=False)
    until(lambda: workspace.case.view.get("answered"))
    tell(workspace, type="skip")
    revealed(workspace)
    assert (workspace.case.view["maps"], workspace.case.view["mapped"]) == (False, "")
    assert workspace.case.view["heat"] is None


def test_a_reading_that_says_nothing_is_answered_with_the_rule(workspace, pipeline) -> None:
    answered(workspace, pipeline)
    sent: list[dict[str, Any]] = []
    workspace.case.send = lambda content, **_: sent.append(content)
    tell(workspace, type="record", said={"findings": {}}, expects="blinded")
    until(lambda: sent)
    assert (sent[0]["type"], sent[0]["id"]) == ("problem", workspace.uploads.chosen)
    assert "at least one finding" in sent[0]["text"]


def test_the_version_is_hidden_while_an_experiment_runs(workspace, pipeline) -> None:
    answered(workspace, pipeline)
    until(lambda: workspace.case.view.get("answered"))
    tell(workspace, type="skip")
    revealed(workspace)
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

    def slow(data: bytes, **options: Any) -> Any:
        made = accept(data, **options)
        pipeline.check(pipeline.uploads()[0])
        until(lambda: len(workspace.uploads.rows) == 2)  # The file's, and the one from the bus.
        return made

    pipeline.send = slow
    send(workspace, DATA)
    until(lambda: state(workspace, "a") == "checked")
    assert len(workspace.uploads.rows) == 1


def test_an_archive_becomes_a_case_for_each_member_and_its_bad_ones_say_why(
    workspace, pipeline
) -> None:
    good, bad = pipeline.send(DATA), pipeline.send(b"hello")
    answer = Sent(
        uploads=good.uploads, refused=[Refusal(index=1, code="x", reason=bad.refused[0].reason)]
    )
    pipeline.send = lambda data, **_: answer
    send(workspace, b"PK", name="zip")
    until(lambda: len(workspace.uploads.rows) == 2)
    rows = sorted(workspace.uploads.rows, key=lambda r: r["index"])
    assert [(r["archive"], r["state"]) for r in rows] == [("zip", "sent"), ("zip", "refused")]
    assert workspace.uploads.chosen == rows[0]["id"]  # The reader stays with what was chosen.


def test_a_revealed_case_stays_while_others_of_its_batch_come(workspace, pipeline) -> None:
    answered(workspace, pipeline)
    until(lambda: workspace.case.view.get("answered"))
    tell(workspace, type="skip")
    revealed(workspace)
    shown = workspace.uploads.chosen
    send(workspace, DATA + b"9\n", name="later", first=False)
    assert workspace.uploads.chosen == shown
    send(workspace, DATA + b"8\n", name="another batch")
    assert workspace.uploads.chosen == "another batch"


def test_a_bus_that_is_away_is_told_and_comes_back(pipeline, monkeypatch) -> None:
    read, away = pipeline.bus.read, threading.Event()
    away.set()

    def flaky(*args: Any, **options: Any) -> Any:
        if away.is_set():
            raise Unavailable("Waiting for Kafka at 127.0.0.1:9092.")
        return read(*args, **options)

    monkeypatch.setattr(pipeline.bus, "read", flaky)
    workspace = Workspace(wiring=pipeline.wiring(), reader="ada")
    until(lambda: "Waiting for Kafka" in workspace.children[0].problem)
    away.clear()
    until(lambda: not workspace.children[0].problem)
    workspace.close()


def peek(workspace: Workspace) -> None:
    until(lambda: workspace.case.view.get("answered"))
    tell(workspace, type="skip")
    revealed(workspace)


def test_an_output_seen_in_one_window_is_no_secret_in_another(workspace, pipeline) -> None:
    other = Workspace(wiring=pipeline.wiring(), reader="ada", alone=False)
    answered(workspace, pipeline)
    until(lambda: other.case.view.get("answered"))
    assert other.case.view["phase"] == "blinded"
    peek(workspace)
    revealed(other)  # Without a key pressed in it: it follows what this reader recorded.
    tell(other, type="record", said={"findings": {"Fast": "present"}}, expects="assisted")
    until(lambda: other.case.view["comment"])
    records = [decode(m, Feedback) for m in pipeline.bus.read([topics.FEEDBACK]).to_end()]
    assert [(r.protocol, r.shown) for r in records] == [("assisted", 3), ("assisted", 3)]
    other.close()


def test_a_second_press_records_nothing(workspace, pipeline, monkeypatch) -> None:
    answered(workspace, pipeline)
    until(lambda: workspace.case.view.get("answered"))
    send_on, go = pipeline.bus.send, threading.Event()
    monkeypatch.setattr(pipeline.bus, "send", lambda messages: go.wait(10) and send_on(messages))
    for _ in range(2):  # The kernel's thread is free again at once: the bus takes its time.
        tell(workspace, type="record", said={"findings": {"Fast": "present"}}, expects="blinded")
    assert workspace.case.view["pending"]
    go.set()
    revealed(workspace)
    assert not workspace.case.view["pending"]
    assert len(list(pipeline.bus.read([topics.FEEDBACK]).to_end())) == 1


def test_what_an_untrusted_page_sends_as_a_finding_is_checked(workspace, pipeline) -> None:
    answered(workspace, pipeline)
    until(lambda: workspace.case.view.get("answered"))
    sent: list[dict[str, Any]] = []
    workspace.case.send = lambda content, **_: sent.append(content)
    for findings in ({"Fast": "<b>"}, {"Fast": {"a": 1}}):
        sent.clear()
        tell(workspace, type="record", said={"findings": findings}, expects="blinded")
        until(lambda: sent)
        assert "must be present, absent, unsure" in sent[0]["text"]
    assert list(pipeline.bus.read([topics.FEEDBACK]).to_end()) == []


def test_running_its_cell_again_stops_the_workspace_before(pipeline) -> None:
    first = Workspace(wiring=pipeline.wiring(), reader="ada")
    threads = {t for t in threading.enumerate() if t.name == "workspace"}
    second = Workspace(wiring=pipeline.wiring(), reader="ada")
    assert not any(thread.is_alive() for thread in threads)
    assert first.comm is None  # ipywidgets: a widget that is closed.
    second.close()


def test_next_says_whether_there_is_a_next(workspace, pipeline) -> None:
    sent: list[dict[str, Any]] = []
    workspace.case.send = lambda content, **_: sent.append(content)
    workspace.case._handle_custom_msg({"type": "next"}, [])
    assert sent == [{"type": "idle", "text": "Nothing on the worklist waits for you."}]


def test_without_the_store_bars_have_no_thresholds_and_get_them_when_it_is_back(pipeline) -> None:
    away = threading.Event()

    def card(version: int) -> Card:
        if not away.is_set():
            raise Unavailable("Waiting for the store.")
        return pipeline.card

    wiring = structs.replace(pipeline.wiring(), card=card)
    workspace = Workspace(wiring=wiring, reader="ada")
    answered(workspace, pipeline)
    peek(workspace)
    until(lambda: "Waiting for the store" in workspace.case.view["cardless"])
    assert workspace.case.view["outputs"][1]["threshold"] is None
    away.set()
    until(lambda: workspace.case.view["outputs"][1]["threshold"] == 0.4)
    assert workspace.case.view["cardless"] == ""
    workspace.close()


def test_that_an_image_is_unlike_the_others_is_told_after_the_reading_only(
    workspace, pipeline
) -> None:
    pipeline.card = a_card(feature_mean=(0.0,), feature_std=(1.0,), feature_distance=3.0)
    answered(workspace, pipeline, features=[4.0])
    until(lambda: workspace.case.view.get("answered"))
    assert "unlike" not in workspace.case.view
    peek(workspace)
    until(lambda: workspace.case.view["unlike"])
