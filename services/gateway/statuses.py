"""Statuses: how far each recent upload is, as the bus tells it."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from datetime import datetime
from typing import Literal

from msgspec import Struct

from chexnet import topics
from chexnet.errors import BadInput, Unavailable
from chexnet.messages import Message, Prediction, decode
from chexnet.runtime.health import Health
from chexnet.runtime.stopping import Backoff
from chexnet.steps.ports import Bus

log = logging.getLogger(__name__)
State = Literal["sent", "checked", "predicted", "rejected"]
FOLLOWED = (topics.IMAGES, topics.PREDICTIONS, topics.UPLOADS.dlq, topics.IMAGES.dlq)
FINAL = ("predicted", "rejected")
FINALITY: dict[State, int] = {"sent": 0, "checked": 0, "rejected": 1, "predicted": 2}


class Status(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What GET /uploads/<id> answers."""

    upload_id: str
    image_id: str
    state: State
    reason: str = ""
    version: int | None = None
    probabilities: dict[str, float] = {}


class Statuses:
    """The newest `kept` uploads; older ones are in the archive. Safe to call from threads."""

    def __init__(self, kept: int = 20_000) -> None:
        self._kept = kept
        self._by_upload: OrderedDict[str, Status] = OrderedDict()
        self._images: OrderedDict[str, None] = OrderedDict()
        self._one_at_a_time = threading.Lock()

    def get(self, upload_id: str) -> Status | None:
        """Return what is known of an upload."""
        return self._by_upload.get(upload_id)

    def has_image(self, image_id: str) -> bool:
        """Return whether this image was uploaded before."""
        return image_id in self._images

    def sent(self, upload: Message) -> None:
        """An upload has gone to the bus."""
        self._set(_status(upload, "sent"))

    def see(self, message: Message) -> None:
        """Take in a record of one of the topics FOLLOWED."""
        if not message.headers.upload_id:
            return
        if message.topic == topics.IMAGES:
            self._set(_status(message, "checked"))
        elif message.topic == topics.PREDICTIONS:
            try:
                record = decode(message, Prediction)
            except BadInput:
                return  # Of a newer version: the archiver rejects it, with the reason.
            self._set(
                Status(
                    upload_id=record.upload_id,
                    image_id=record.image_id,
                    state="predicted",
                    version=record.version,
                    probabilities=record.probabilities,
                )
            )
        else:
            reason = message.headers.extra.get("reason", "")
            self._set(_status(message, "rejected", reason))

    def _set(self, status: Status) -> None:
        with self._one_at_a_time:
            known = self._by_upload.get(status.upload_id)
            if known is not None and FINALITY[status.state] < FINALITY[known.state]:
                return  # Partitions are read in any order; a replay may follow a rejection.
            self._by_upload[status.upload_id] = status
            self._by_upload.move_to_end(status.upload_id)
            self._images[status.image_id] = None
            self._images.move_to_end(status.image_id)
            for entries in (self._by_upload, self._images):
                while len(entries) > self._kept:
                    entries.popitem(last=False)


def _status(message: Message, state: State, reason: str = "") -> Status:
    return Status(
        upload_id=message.headers.upload_id,
        image_id=message.headers.image_id,
        state=state,
        reason=reason,
    )


def follow(
    bus: Bus, statuses: Statuses, health: Health, stop: threading.Event, since: datetime
) -> None:
    """Keep `statuses` up to date until `stop` is set; run it in a thread."""
    backoff = Backoff(stop)
    while not stop.is_set():
        try:
            reader = bus.read(FOLLOWED, start=since)
            try:
                health.set("ok")
                backoff.reset()
                while not stop.is_set():
                    for message in reader.poll(timeout=0.5):
                        statuses.see(message)
            finally:
                reader.close()
        except Exception as error:  # Without this thread no answer reaches anybody.
            if not isinstance(error, Unavailable):
                log.exception("following what becomes of uploads has failed: trying again")
            health.set("waiting", str(error) or type(error).__name__)
            backoff.wait()
