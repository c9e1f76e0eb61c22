"""What the server answers when it can't: TF Serving's codes and its words, which clients match."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class Code(IntEnum):
    """Canonical codes: gRPC's, TensorFlow's error_codes.proto and absl's are the same numbers."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    FAILED_PRECONDITION = 9
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14

    @property
    def http(self) -> int:
        """The HTTP status that TF Serving's REST API gives for it."""
        return _HTTP.get(self, 500)


_HTTP = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.FAILED_PRECONDITION: 400,
    Code.UNIMPLEMENTED: 501,
    Code.UNAVAILABLE: 503,
}


class ServingError(Exception):
    """A request that is answered with an error."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid(message: str) -> ServingError:
    """The request is at fault."""
    return ServingError(Code.INVALID_ARGUMENT, message)


def not_served(model: str, version: int | None) -> ServingError:
    """No such version is AVAILABLE."""
    asked = f"Latest({model})" if version is None else f"Specific({model}, {version})"
    return ServingError(Code.NOT_FOUND, f"Servable not found for request: {asked}")


def unknown_label(label: str) -> ServingError:
    """The label is not assigned."""
    return invalid(f"Unrecognized servable version label: {label}")


def no_signature(name: str) -> ServingError:
    """The SavedModel has no such signature."""
    return ServingError(Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')


def wrong_inputs(sent: Iterable[str], wanted: Iterable[str]) -> ServingError:
    """The names of the inputs are not the signature's."""
    sent, wanted = sorted(sent), sorted(wanted)
    extra = ",".join(name for name in sent if name not in wanted)
    missing = ",".join(name for name in wanted if name not in sent)
    if len(sent) == len(wanted):
        return invalid(
            f"input tensor alias not found in signature: {extra.split(',')[0]}. "
            f"Inputs expected to be in the set {{{','.join(wanted)}}}."
        )
    return invalid(
        f"input size does not match signature: {len(sent)}!={len(wanted)} "
        f"len({{{','.join(sent)}}}) != len({{{','.join(wanted)}}}). "
        f"Sent extra: {{{extra}}}. Missing but required: {{{missing}}}."
    )


def label_unavailable(model: str, version: int) -> ServingError:
    """A label may not be moved to a version that does not answer."""
    return ServingError(
        Code.FAILED_PRECONDITION,
        f"Request to assign label to version {version} of model {model}, "
        "which is not currently available for inference",
    )


def unimplemented(what: str) -> ServingError:
    """This server has a part of TF Serving's API."""
    rule = "This model server answers Predict, GetModelMetadata and the model service."
    todo = "Ask for Predict, or run tensorflow/serving."
    return ServingError(Code.UNIMPLEMENTED, f"{rule} Received: {what}. {todo}")
