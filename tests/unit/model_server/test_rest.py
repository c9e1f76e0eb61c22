"""The REST API answers, and refuses, as TF Serving's does."""

from __future__ import annotations

from typing import Any

import pytest

MODEL = "/v1/models/xray"
ONE, TWO = [1, 1, 1, 1], [2, 2, 2, 2]


def test_the_row_form_answers_row_by_row(server: Any) -> None:
    answer = server.rest.post(f"{MODEL}/versions/1:predict", json={"instances": [ONE, TWO]})
    assert answer.status_code == 200
    assert answer.json() == {
        "predictions": [
            {"features": [1, 1, 1, 1], "probabilities": [0.1, 0.9]},
            {"features": [2, 2, 2, 2], "probabilities": [0.2, 0.8]},
        ]
    }


def test_the_row_form_takes_named_inputs(server: Any) -> None:
    answer = server.rest.post(f"{MODEL}/labels/champion:predict", json={"instances": [{"x": ONE}]})
    assert answer.json()["predictions"][0]["probabilities"] == [0.1, 0.9]


@pytest.mark.parametrize("inputs", [[ONE, TWO], {"x": [ONE, TWO]}], ids=["plain", "named"])
def test_the_column_form_answers_by_output(server: Any, inputs: Any) -> None:
    answer = server.rest.post(f"{MODEL}:predict", json={"inputs": inputs})
    assert answer.json() == {
        "outputs": {
            "features": [[1, 1, 1, 1], [2, 2, 2, 2]],
            "probabilities": [[0.2, 0.8], [0.4, 0.6]],
        }
    }


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        (":predict", "", 400, "JSON Parse error: The document is empty"),
        (":predict", "{", 400, "JSON Parse error:"),
        (":predict", "[1]", 400, "JSON Value: [1] Is not object"),
        (":predict", "{}", 400, "Missing 'inputs' or 'instances' key"),
        (":predict", '{"instances": 1}', 400, "Expecting 'instances' to be an list/array"),
        (":predict", '{"instances": []}', 400, "No values in 'instances' array"),
        (":predict", '{"instances": [], "inputs": []}', 400, "expecting only one of"),
        (
            ":predict",
            '{"instances": [[1, 1, 1, 256]]}',
            400,
            "JSON Value: 256 Type: Number is not of expected type: uint8",
        ),
        (":predict", '{"instances": [[1, 1, 1, 0.5]]}', 400, "JSON Value: 0.5 Type: Number is not"),
        (":predict", '{"instances": [["a", 1, 1, 1]]}', 400, "is not of expected type: uint8"),
        (":predict", '{"instances": [[1, 1, 1, 1], [1]]}', 400, "list at unexpected size"),
        (":predict", '{"instances": [{"y": 1}]}', 400, "keys must be equal to: x"),
        (":predict", '{"instances": [[1], {"x": 1}]}', 400, "got object at item 1 of input list"),
        (":predict", '{"inputs": {"y": 1}}', 400, "Missing named input: x in 'inputs' object."),
        (":predict", '{"instances": [[1, 1]]}', 400, "Received: [1,2]"),
        (
            ":predict",
            '{"instances": [[1]], "signature_name": "s"}',
            400,
            'Serving signature name: "s" not found in signature def',
        ),
        (":predict", '{"instances": [[1]], "signature_name": 1}', 400, "must be a string value"),
        ("/versions/9:predict", '{"instances": [[1]]}', 404, "request: Specific(xray, 9)"),
        ("/labels/no:predict", '{"instances": [[1]]}', 400, "version label: no"),
        (":classify", "{}", 501, "This model server answers Predict"),
        (":explain", "{}", 400, "Malformed request: POST /v1/models/xray:explain"),
        (
            "/versions/99999999999999999999:predict",
            '{"instances": [[1]]}',
            400,
            "Failed to convert version: 99999999999999999999 to numeric.",
        ),
    ],
)
def test_predict_refuses_in_tf_servings_words(
    server: Any, path: str, body: str, status: int, error: str
) -> None:
    answer = server.rest.post(MODEL + path, content=body)
    assert answer.status_code == status
    assert error in answer.json()["error"]


def test_status_is_tf_servings_json(server: Any) -> None:
    entry = {
        "version": "1",
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    for path in ("/versions/1", "/labels/champion"):
        answer = server.rest.get(MODEL + path)
        assert answer.json() == {"model_version_status": [entry]}
    versions = server.rest.get(MODEL).json()["model_version_status"]
    assert [v["version"] for v in versions] == ["2", "1"]


def test_metadata_is_tf_servings_json(server: Any) -> None:
    answer = server.rest.get(f"{MODEL}/versions/2/metadata").json()
    assert answer["model_spec"] == {"name": "xray", "version": "2"}
    served = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert served["inputs"]["x"]["dtype"] == "DT_UINT8"
    assert [d["size"] for d in served["inputs"]["x"]["tensor_shape"]["dim"]] == ["-1", "4"]


def test_an_unknown_model_is_not_found(server: Any) -> None:
    answer = server.rest.get("/v1/models/ct")
    assert answer.status_code == 404
    assert answer.json() == {"error": "Could not find any versions of model ct"}


def test_metrics_count_by_model_and_outcome(server: Any) -> None:
    def count(status: str) -> int:
        wanted = f':tensorflow:serving:request_count{{model_name="xray",status="{status}"}} '
        page = server.rest.get("/monitoring/prometheus/metrics").text.splitlines()
        return sum(int(line.removeprefix(wanted)) for line in page if line.startswith(wanted))

    good, bad = count("OK"), count("INVALID_ARGUMENT")
    server.rest.post(f"{MODEL}:predict", json={"instances": [ONE]})
    server.rest.post(f"{MODEL}:predict", json={"instances": [[1]]})
    assert (count("OK"), count("INVALID_ARGUMENT")) == (good + 1, bad + 1)


def test_the_metrics_page_can_be_parsed_by_prometheus(server: Any) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    server.rest.post(f"{MODEL}:predict", json={"instances": [ONE]})
    page = server.rest.get("/monitoring/prometheus/metrics").text
    families = {family.name: family for family in text_string_to_metric_families(page)}
    latency = families[":tensorflow:serving:request_latency"]
    last = [s for s in latency.samples if s.labels.get("le") == "+Inf"]
    counts = [s for s in latency.samples if s.name.endswith("_count")]
    assert sum(s.value for s in last) == sum(s.value for s in counts) > 0


def test_health_tells_what_is_wrong_with_the_configuration(server: Any) -> None:
    assert server.rest.get("/healthz").json()["state"] == "ok"
    server.source.problem = "no such file"
    try:
        answer = server.rest.get("/healthz")
        assert (answer.status_code, answer.json()["reason"]) == (503, "no such file")
    finally:
        server.source.problem = ""
