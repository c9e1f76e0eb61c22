"""What the router writes for a batch: one revision, versions by assignment, shadows apart."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from msgspec import structs
from numpy.typing import NDArray

from chexnet import topics
from chexnet.errors import Failed, NotFound, Unavailable
from chexnet.experiments.assignment import assign
from chexnet.messages import (
    Control,
    Experiment,
    Headers,
    Holdback,
    Message,
    Prediction,
    Rejected,
    decode,
    sha256,
)
from chexnet.steps.predict import Kind, Predict

AT = datetime(2026, 1, 2, tzinfo=UTC)
SHAPE = (2, 3)
LABELS = ("one", "two")


class Versions:
    """A serving whose version v says v/10 for every label."""

    def __init__(self, *versions: int) -> None:
        self.versions, self.batches = versions, []

    def predict(self, version: int, x: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        if version not in self.versions:
            raise NotFound(f"no version {version}")
        self.batches.append((version, x.shape))
        return {"probabilities": np.full((len(x), 2), version / 10, np.float32)}


def predictor(kind: Kind, serving: Versions) -> Predict:
    return Predict(kind, serving=serving, labels=LABELS, shape=SHAPE, clock=lambda: AT)


def image(unit: str, value: bytes = bytes(6)) -> Message:
    headers = Headers(schema="image/1", upload_id=f"u-{unit}", image_id="i", created_at=AT)
    return Message(topic=topics.IMAGES, key=unit, value=value, headers=headers)


def control(design: str | None = None, exposure: float = 1.0) -> Control:
    plain = structs.replace(Control.empty("xray"), revision=7, champion=1)
    if design is None:
        return plain
    experiment = Experiment(
        name="e", design=design, salt="s", weights={"b": 1.0}, started_at=AT, started_by="me"
    )
    return structs.replace(plain, experiment=experiment, arms={"b": 2}, exposure=exposure)


def records(results: list[list[Message | Rejected]]) -> list[Prediction]:
    return [decode(m, Prediction) for result in results for m in result if isinstance(m, Message)]


def test_the_champion_answers_and_the_record_says_so() -> None:
    (made,) = records(predictor("answer", Versions(1))([image("p", b"abcdef")], control()))
    assert (made.arm, made.version, made.revision, made.kind) == ("champion", 1, 7, "answer")
    assert made.probabilities == pytest.approx({"one": 0.1, "two": 0.1})
    assert made.tensor_sha256 == sha256(b"abcdef")
    assert (made.upload_id, made.unit, made.uploaded_at) == ("u-p", "p", AT)


def test_a_batch_is_one_call_for_each_version() -> None:
    serving = Versions(1, 2)
    units = [image(f"p{n}") for n in range(40)]
    made = records(predictor("answer", serving)(units, control("split", exposure=0.5)))
    assert len(made) == 40
    assert sorted(version for version, _ in serving.batches) == [1, 2]
    assert {(m.arm, m.version) for m in made} == {("champion", 1), ("b", 2)}


def test_results_stand_in_the_order_of_their_images() -> None:
    units = [image(f"p{n}") for n in range(40)]
    made = predictor("answer", Versions(1, 2))(units, control("split", exposure=0.5))
    assert [r.unit for r in records(made)] == [f"p{n}" for n in range(40)]


def test_in_shadow_the_champion_answers_and_the_challenger_only_shadows() -> None:
    answers = records(predictor("answer", Versions(1, 2))([image("p")], control("shadow")))
    (shadow,) = records(predictor("shadow", Versions(1, 2))([image("p")], control("shadow")))
    assert [(a.arm, a.version) for a in answers] == [("champion", 1)]
    assert (shadow.arm, shadow.version, shadow.kind) == ("b", 2, "shadow")


def test_without_an_experiment_nothing_is_shadowed() -> None:
    assert predictor("shadow", Versions(1))([image("p")], control()) == [[]]


def test_an_image_of_the_wrong_size_is_rejected_and_the_others_are_answered() -> None:
    bad, good = predictor("answer", Versions(1))([image("a", b"short"), image("b")], control())
    assert isinstance(bad[0], Rejected)
    assert "6 bytes" in bad[0].reason
    assert isinstance(good[0], Message)


@pytest.mark.parametrize(
    ("state", "said"),
    [(Control.empty("xray"), "promote"), (structs.replace(control(), champion=9), "version 9")],
    ids=["no champion yet", "its version is not loaded"],
)
def test_without_a_version_that_answers_images_wait(state: Control, said: str) -> None:
    with pytest.raises(Unavailable, match=said):
        predictor("answer", Versions(1))([image("p")], state)


def test_a_version_that_fails_is_named() -> None:
    class Broken(Versions):
        def predict(self, version: int, x: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
            said = super().predict(version, x)
            return {} if version == 2 else said

    with pytest.raises(Failed, match=r"Version 2, KeyError: 'probabilities'") as failed:
        predictor("shadow", Broken(1, 2))([image("p")], control("shadow"))
    assert failed.value.facts == {"version": "2", "revision": "7"}


def test_who_is_held_back_is_answered_by_the_previous_champion_and_the_record_says_so() -> None:
    held = structs.replace(control(), previous=3, holdback=Holdback(share=0.5, salt="s"))
    units = [image(f"p{n}") for n in range(40)]
    made = records(predictor("answer", Versions(1, 3))(units, held))
    assert {(p.arm, p.version, p.experiment) for p in made} == {
        ("champion", 1, None),
        ("previous", 3, None),
    }
    assert all(assign(held, p.unit).answer == (p.arm, p.version) for p in made)


def test_a_version_that_answers_no_numbers_has_failed() -> None:
    class Broken(Versions):
        def predict(self, version: int, x: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
            said = super().predict(version, x)
            return {**said, "features": np.full((len(x), 4), np.nan, np.float32)}

    with pytest.raises(Failed, match="Version 1, ValueError: its outputs must be numbers"):
        predictor("answer", Broken(1))([image("p")], control())


@pytest.mark.parametrize(("step", "answers", "shadows"), [("router", 1, 0), ("shadow", 0, 1)])
def test_an_image_that_is_sent_again_is_for_the_step_that_failed(
    step: str, answers: int, shadows: int
) -> None:
    sent = image("p")
    headers = structs.replace(sent.headers, attempt=1, extra={"step": step})
    again = [structs.replace(sent, headers=headers)]
    serving, now = Versions(1, 2), control("shadow")
    assert len(records(predictor("answer", serving)(again, now))) == answers
    assert len(records(predictor("shadow", serving)(again, now))) == shadows
