"""Archive: where a message's value lies in its repo. The same message has the same path.

The unit is a folder, so that one glob finds all of a patient: `chexnet forget` needs that.
"""

from __future__ import annotations

import re

from chexnet.errors import BadInput
from chexnet.experiments import chain
from chexnet.messages import Feedback, Message, Prediction, decode
from chexnet.topics import AUDIT, FEEDBACK, PREDICTIONS, SHADOW, UPLOADS, Topic

# Repo → the topics whose record it is: those of patients, and the audit, which names none.
REPOS: dict[str, tuple[Topic, ...]] = {
    "raw": (UPLOADS,),
    "predictions": (PREDICTIONS, SHADOW),
    "feedback": (FEEDBACK,),
}
ARCHIVED = {**REPOS, chain.REPO: (AUDIT,)}
NAME = re.compile(r"[A-Za-z0-9_=-][A-Za-z0-9_=.-]{0,199}")  # Nothing that a path or a glob reads.
MAGIC = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg"}


def place(message: Message) -> str:
    """Return the path of `message` in its repo: `/data/<yyyymmdd>/<unit>/<id>.<suffix>`.

    Raises:
        BadInput: its value is not a record of its topic's schema, or its key or ids can't name a
            folder and a file.
    """
    folder = f"/data/{message.headers.created_at:%Y%m%d}/{_name('key', message.key)}"
    if message.topic in REPOS["predictions"]:
        return f"{folder}/{_name('id', decode(message, Prediction).prediction_id)}.json"
    if message.topic == FEEDBACK:
        return f"{folder}/{_name('id', decode(message, Feedback).feedback_id)}.json"
    stem = f"{message.headers.upload_id}.{message.headers.image_id}"
    return f"{folder}/{_name('id', stem)}.{suffix(message.value)}"


def _name(what: str, text: str) -> str:
    if not NAME.fullmatch(text):
        rule = f"A message's {what} must be 1 to 200 letters, digits, - _ = and points."
        received = f"Received: {len(text)} characters"  # Not which: they may be who it is.
        raise BadInput(what, f"{rule} {received}, not all of them so. Use the gateway.")
    return text


def suffix(data: bytes) -> str:
    """Return what kind of file these bytes are, as its name ends."""
    if data[128:132] == b"DICM":
        return "dcm"
    return next((suffix for magic, suffix in MAGIC.items() if data.startswith(magic)), "bin")
