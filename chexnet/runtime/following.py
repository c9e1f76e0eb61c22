"""Following uploads on the bus, from `sent` to their prediction or dead letter."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from chexnet import topics
from chexnet.errors import Unavailable
from chexnet.messages import Message
from chexnet.steps.ports import Bus

ENDS = (topics.PREDICTIONS, topics.UPLOADS.dlq, topics.IMAGES.dlq)
SKEW = timedelta(seconds=5)  # Between this clock and the broker's.


def outcomes(
    bus: Bus, uploads: Collection[str], *, since: datetime, patience: float
) -> Iterator[Message]:
    """Yield each upload's prediction or dead letter, as they come.

    Args:
        bus: of the pipeline.
        uploads: their ids.
        since: when the first was sent.
        patience: seconds to wait for the next.

    Raises:
        Unavailable: nothing came for so long.
    """
    waiting = set(uploads)
    reader = bus.read(ENDS, start=since - SKEW)
    due = time.monotonic() + patience
    try:
        while waiting:
            for message in reader.poll(timeout=0.2):
                if message.headers.upload_id in waiting:
                    waiting.discard(message.headers.upload_id)
                    due = time.monotonic() + patience
                    yield message
            if waiting and time.monotonic() > due:
                rule = f"An upload must be predicted or rejected within {patience:.0f} s."
                received = f"Received: nothing of {len(waiting)}. Nothing is lost."
                raise Unavailable(f"{rule} {received} See what waits with: chexnet status")
    finally:
        reader.close()
