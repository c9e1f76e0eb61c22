"""Records of experiments for the tests: each is made of what it differs in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from chexnet.messages import CHAMPION, Experiment, Feedback, Prediction, new_id

START = datetime(2026, 1, 1, tzinfo=UTC)
VERSIONS = {CHAMPION: 1, "b": 2}


def experiment(**changes: Any) -> Experiment:
    given = {
        "name": "e",
        "design": "shadow",
        "salt": "salt",
        "weights": {"b": 1.0},
        "min_positive": 2,
        "started_at": START,
        "started_by": "me",
    }
    return Experiment(**{**given, **changes})


def prediction(image: str, unit: str, arm: str, scores: dict[str, float], **changes: Any):
    given: dict[str, Any] = {
        "upload_id": f"upload-{image}",
        "image_id": image,
        "unit": unit,
        "kind": "answer" if arm == CHAMPION else "shadow",
        "arm": arm,
        "version": VERSIONS.get(arm, 3),
        "revision": 2,
        "experiment": "e",
        "model": "xray",
        "tensor_sha256": "",
        "probabilities": scores,
        "seconds": 0.1,
        "uploaded_at": START,
        "predicted_at": START,
    }
    return Prediction(**{**given, **changes})


def read(image: str, findings: dict[str, str], *, minutes: int = 0, **changes: Any) -> Feedback:
    given: dict[str, Any] = {
        "feedback_id": new_id(),
        "image_id": image,
        "unit": "",
        "reader": "r",
        "findings": findings,
        "protocol": "blinded",
        "recorded_at": START + timedelta(minutes=minutes),
    }
    return Feedback(**{**given, **changes})
