"""The topics of a pipeline: each defined here, once; the Kafka role creates them from this list.

A topic's full name is `<pipeline>.<name>`, so that several pipelines share one broker. Code names
the constants below; only the bus adapter knows of the prefix.
"""

from __future__ import annotations

from msgspec import Struct

DAY = 24 * 3600


class Topic(Struct, frozen=True, kw_only=True):
    """One topic. `retention` is in seconds, None for ever; `carries` sets the largest message."""

    name: str
    schemas: tuple[str, ...]
    partitions: int = 6
    retention: int | None = 30 * DAY
    compacted: bool = False
    carries: str = "record"  # `upload`: Limits.cleaned_bytes; `record`: RECORD_BYTES.

    @property
    def dlq(self) -> Topic:
        """The topic of its dead letters. They keep their key, their headers and, mostly, bytes."""
        return Topic(
            name=f"{self.name}.dlq",
            schemas=self.schemas,
            partitions=1,
            retention=90 * DAY,
            carries=self.carries,
        )

    def full_name(self, pipeline: str) -> str:
        """Return its name on the broker."""
        return f"{pipeline}.{self.name}"


# A canonical image or a prediction with its maps: a few hundred KB at the most.
RECORD_BYTES = 4 * 2**20

UPLOADS = Topic(name="uploads", schemas=("upload/1",), retention=7 * DAY, carries="upload")
IMAGES = Topic(name="images", schemas=("image/1",), retention=7 * DAY)
PREDICTIONS = Topic(name="predictions", schemas=("prediction/1",))
SHADOW = Topic(name="shadow", schemas=("prediction/1",))
FEEDBACK = Topic(name="feedback", schemas=("feedback/1",), retention=365 * DAY)
CONTROL = Topic(
    name="control", schemas=("control/1",), partitions=1, retention=None, compacted=True
)
AUDIT = Topic(name="audit", schemas=("audit/1",), partitions=1, retention=None)

STEPS = (UPLOADS, IMAGES, PREDICTIONS, SHADOW, FEEDBACK)
ALL = {t.name: t for t in (*STEPS, CONTROL, AUDIT)}
WITH_DLQ = (UPLOADS, IMAGES, PREDICTIONS, SHADOW, FEEDBACK)
EVERY = (*ALL.values(), *(t.dlq for t in WITH_DLQ))
