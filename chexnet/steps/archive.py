"""Archive: where a message's value lies in its repo. The same message has the same path."""

from __future__ import annotations

from chexnet.messages import Feedback, Message, Prediction, decode
from chexnet.topics import FEEDBACK, PREDICTIONS, SHADOW, UPLOADS, Topic

# Repo → the topics whose record it is.
REPOS: dict[str, tuple[Topic, ...]] = {
    "raw": (UPLOADS,),
    "predictions": (PREDICTIONS, SHADOW),
    "feedback": (FEEDBACK,),
}
MAGIC = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg"}


def place(message: Message) -> str:
    """Return the path of `message` in its repo: `/data/<yyyymmdd>/<id>.<suffix>`.

    Raises:
        BadInput: its value is not a record of its topic's schema.
    """
    day = message.headers.created_at.strftime("%Y%m%d")
    if message.topic in REPOS["predictions"]:
        return f"/data/{day}/{decode(message, Prediction).prediction_id}.json"
    if message.topic == FEEDBACK:
        return f"/data/{day}/{decode(message, Feedback).feedback_id}.json"
    return f"/data/{day}/{message.headers.upload_id}.{_suffix(message.value)}"


def _suffix(data: bytes) -> str:
    if data[128:132] == b"DICM":
        return "dcm"
    return next((suffix for magic, suffix in MAGIC.items() if data.startswith(magic)), "bin")
