"""Archive: where a message's value lies in its repo. The same message has the same path.

The unit is a folder, so that one glob finds all of a patient: `chexnet forget` needs that.
"""

from __future__ import annotations

import re

from chexnet.errors import BadInput
from chexnet.messages import Feedback, Message, Prediction, decode
from chexnet.topics import FEEDBACK, PREDICTIONS, SHADOW, UPLOADS, Topic

# Repo → the topics whose record it is.
REPOS: dict[str, tuple[Topic, ...]] = {
    "raw": (UPLOADS,),
    "predictions": (PREDICTIONS, SHADOW),
    "feedback": (FEEDBACK,),
}
UNIT = re.compile(r"[A-Za-z0-9_=-][A-Za-z0-9_=.-]{0,127}")  # Nothing that a path or a glob reads.
MAGIC = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg"}


def place(message: Message) -> str:
    """Return the path of `message` in its repo: `/data/<yyyymmdd>/<unit>/<id>.<suffix>`.

    Raises:
        BadInput: its value is not a record of its topic's schema, or its key can't name a folder.
    """
    if not UNIT.fullmatch(message.key):
        rule = "A key must be a pseudonym or an image id: letters, digits, - _ = and points."
        raise BadInput("key", f"{rule} Received: {message.key[:80]!r}. Use the gateway.")
    folder = f"/data/{message.headers.created_at:%Y%m%d}/{message.key}"
    if message.topic in REPOS["predictions"]:
        return f"{folder}/{decode(message, Prediction).prediction_id}.json"
    if message.topic == FEEDBACK:
        return f"{folder}/{decode(message, Feedback).feedback_id}.json"
    headers = message.headers
    return f"{folder}/{headers.upload_id}.{headers.image_id}.{suffix(message.value)}"


def suffix(data: bytes) -> str:
    """Return what kind of file these bytes are, as its name ends."""
    if data[128:132] == b"DICM":
        return "dcm"
    return next((suffix for magic, suffix in MAGIC.items() if data.startswith(magic)), "bin")
