"""The gRPC services answer, and refuse, as TF Serving does."""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np
import pytest

from chexnet.adapters.tf_serving import tensors
from chexnet.adapters.tf_serving.messages import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_pb2,
    predict_pb2,
)
from tests.unit.model_server.fakes import model, publish

X = np.array([[1, 1, 1, 1], [2, 2, 2, 2]], dtype=np.uint8)


def request(
    x: Any = X,
    *,
    name: str = "xray",
    version: int | None = None,
    label: str = "",
    signature: str = "",
    key: str = "x",
    outputs: tuple[str, ...] = (),
) -> Any:
    made = predict_pb2.PredictRequest(model_spec=spec(name, version, label))
    made.model_spec.signature_name = signature
    made.inputs[key].CopyFrom(tensors.to_proto(x))
    made.output_filter.extend(outputs)
    return made


def spec(name: str, version: int | None = None, label: str = "") -> Any:
    made = model_pb2.ModelSpec(name=name)
    if version is not None:
        made.version.value = version
    if label:
        made.version_label = label
    return made


@pytest.mark.parametrize(
    ("asked", "version", "first"),
    [
        ({"version": 1}, 1, 0.1),
        ({"version": 2}, 2, 0.2),
        ({"label": "champion"}, 1, 0.1),
        ({}, 2, 0.2),
        ({"signature": "serving_default"}, 2, 0.2),
    ],
    ids=str,
)
def test_predict_answers_by_version_label_and_latest(
    server: Any, asked: dict[str, Any], version: int, first: float
) -> None:
    response = server.predictions.Predict(request(**asked))
    assert response.model_spec.name == "xray"
    assert response.model_spec.version.value == version
    assert response.model_spec.signature_name == "serving_default"
    outputs = {name: tensors.to_array(t) for name, t in response.outputs.items()}
    np.testing.assert_allclose(outputs["probabilities"][:, 0], [first, 2 * first], rtol=1e-6)
    np.testing.assert_array_equal(outputs["features"], X)


def test_an_output_filter_names_what_comes_back(server: Any) -> None:
    response = server.predictions.Predict(request(outputs=("features",)))
    assert set(response.outputs) == {"features"}


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        ({"name": "ct"}, "NOT_FOUND", "Servable not found for request: Latest(ct)"),
        ({"version": 9}, "NOT_FOUND", "Servable not found for request: Specific(xray, 9)"),
        (
            {"label": "canary"},
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: canary",
        ),
        ({"name": ""}, "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        (
            {"signature": "classify"},
            "FAILED_PRECONDITION",
            'Serving signature key "classify" not found.',
        ),
        (
            {"key": "image"},
            "INVALID_ARGUMENT",
            "input tensor alias not found in signature: image. "
            "Inputs expected to be in the set {x}.",
        ),
        (
            {"x": X.astype(np.float32)},
            "INVALID_ARGUMENT",
            "Expects arg[0] to be uint8 but float is provided",
        ),
        (
            {"x": X[:, :3]},
            "INVALID_ARGUMENT",
            "Incompatible shapes: input x must have the shape [?,4]. Received: [2,3]",
        ),
        (
            {"x": X[0]},
            "INVALID_ARGUMENT",
            "Incompatible shapes: input x must have the shape [?,4]. Received: [4]",
        ),
        (
            {"x": X[:0]},
            "INVALID_ARGUMENT",
            "Batching requires inputs of the same size, above 0, in their 0th dimension. "
            "Received: [0]",
        ),
        (
            {"outputs": ("logits",)},
            "INVALID_ARGUMENT",
            "output tensor alias not found in signature: logits Outputs expected to be in the "
            "set {features,probabilities}.",
        ),
        (
            {"outputs": ("features", "features")},
            "INVALID_ARGUMENT",
            "duplicate output tensor alias: features",
        ),
    ],
    ids=str,
)
def test_predict_refuses_in_tf_servings_words(
    server: Any, asked: dict[str, Any], code: str, message: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        server.predictions.Predict(request(**asked))
    assert (caught.value.code().name, caught.value.details()) == (code, message)


def test_inputs_of_another_number_are_named(server: Any) -> None:
    two = request()
    two.inputs["y"].CopyFrom(tensors.to_proto(X))
    with pytest.raises(grpc.RpcError) as caught:
        server.predictions.Predict(two)
    assert caught.value.details() == (
        "input size does not match signature: 2!=1 len({x,y}) != len({x}). "
        "Sent extra: {y}. Missing but required: {}."
    )


def test_a_tensor_whose_bytes_do_not_fill_its_shape_is_refused(server: Any) -> None:
    short = request()
    short.inputs["x"].tensor_content = b"123"
    with pytest.raises(grpc.RpcError, match="Could not parse tensor") as caught:
        server.predictions.Predict(short)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_what_is_not_of_this_server_says_so(server: Any) -> None:
    from tensorflow_serving.apis import classification_pb2

    with pytest.raises(grpc.RpcError) as caught:
        server.predictions.Classify(classification_pb2.ClassificationRequest())
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert caught.value.details().startswith("This model server answers Predict")


def test_metadata_holds_the_signature(server: Any) -> None:
    asked = get_model_metadata_pb2.GetModelMetadataRequest(
        model_spec=spec("xray", label="champion"), metadata_field=["signature_def"]
    )
    response = server.predictions.GetModelMetadata(asked)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert response.model_spec.version.value == 1
    served = signatures.signature_def["serving_default"]
    assert set(served.inputs) == {"x"}
    assert set(served.outputs) == {"features", "probabilities"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ([], "GetModelMetadataRequest must specify at least one metadata_field"),
        (["assets"], "Metadata field assets is not supported"),
    ],
)
def test_metadata_of_another_kind_is_refused(server: Any, fields: list[str], message: str) -> None:
    asked = get_model_metadata_pb2.GetModelMetadataRequest(
        model_spec=spec("xray"), metadata_field=fields
    )
    with pytest.raises(grpc.RpcError) as caught:
        server.predictions.GetModelMetadata(asked)
    assert caught.value.details() == message


def test_status_lists_the_versions_newest_first(server: Any) -> None:
    asked = get_model_status_pb2.GetModelStatusRequest(model_spec=spec("xray"))
    entries = server.models.GetModelStatus(asked).model_version_status
    assert [(e.version, e.state) for e in entries] == [(2, 30), (1, 30)]  # 30 is AVAILABLE.


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (spec("ct"), "Could not find any versions of model ct"),
        (spec("xray", 9), "Could not find version 9 of model xray"),
    ],
    ids=["model", "version"],
)
def test_the_status_of_what_is_not_there_is_not_found(
    server: Any, asked: Any, message: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        server.models.GetModelStatus(get_model_status_pb2.GetModelStatusRequest(model_spec=asked))
    assert (caught.value.code().name, caught.value.details()) == ("NOT_FOUND", message)


def reload(server: Any, *configs: Any) -> Any:
    asked = model_management_pb2.ReloadConfigRequest()
    asked.config.model_config_list.config.extend(configs)
    return server.models.HandleReloadConfigRequest(asked, timeout=10)


def test_a_reload_with_a_new_model_returns_when_it_answers(server: Any) -> None:
    other = server.base.parent / "waveform"
    other.mkdir()
    publish(other / "4", 0.4)
    response = reload(server, server.config, model(other, name="waveform"))
    assert response.status.error_code == 0
    answer = server.predictions.Predict(request(name="waveform"))
    assert answer.model_spec.version.value == 4
    reload(server, server.config)


def test_a_reload_with_a_new_model_that_fails_says_why(server: Any) -> None:
    broken = server.base.parent / "broken"
    (broken / "1").mkdir(parents=True)
    with pytest.raises(grpc.RpcError) as caught:
        reload(server, server.config, model(broken, name="broken"))
    assert caught.value.code() == grpc.StatusCode.UNKNOWN
    assert caught.value.details() == (
        "1 model(s) did not become available: {{{name: broken version: 1} due to error: NOT_FOUND:"
        f" Could not find SavedModel .pb or .pbtxt at supplied export path: {broken / '1'}}}, }}"
    )
    reload(server, server.config)


def test_a_label_may_not_move_to_a_version_that_does_not_answer(server: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        reload(server, model(server.base, 1, 2, champion=7))
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert caught.value.details() == (
        "Request to assign label to version 7 of model xray, "
        "which is not currently available for inference"
    )
    assert server.lifecycle.labels("xray") == {"champion": 1}


@pytest.mark.parametrize("change", [{"name": ""}, {"model_platform": "pytorch"}])
def test_a_config_that_makes_no_sense_changes_nothing(server: Any, change: dict[str, str]) -> None:
    wrong = model(server.base, 1)
    for field, value in change.items():
        setattr(wrong, field, value)
    with pytest.raises(grpc.RpcError) as caught:
        reload(server, wrong)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert server.lifecycle.labels("xray") == {"champion": 1}
