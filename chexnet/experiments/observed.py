"""What was predicted and read: the archive, and after its last offset what stands on the bus.

The archive's commits hold the offsets up to which they go, so the two join without a gap and
without a double. There is one way to read, and what it read can be named and read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from msgspec import Struct

from chexnet import topics
from chexnet.errors import BadInput
from chexnet.experiments.truths import once
from chexnet.messages import Feedback, Prediction, R, decode, decode_json
from chexnet.steps.ports import Bus, Store
from chexnet.topics import Topic

PREDICTIONS, FEEDBACK = "predictions", "feedback"
DATA = "/data"
ARCHIVES = {
    PREDICTIONS: (topics.PREDICTIONS, topics.SHADOW),
    FEEDBACK: (topics.FEEDBACK,),
}
# An upload may wait this long before it is predicted; the archive files it under its upload's day.
WAIT = timedelta(seconds=topics.UPLOADS.retention or 0)


class Observed(Struct, frozen=True, kw_only=True):
    """Predictions and reads, each once, and how far they go."""

    predictions: tuple[Prediction, ...]
    feedback: tuple[Feedback, ...]
    read_to: dict[str, int | str]  # Repo → commit, topic/partition → next offset.

    @classmethod
    def of(
        cls,
        predictions: Iterable[Prediction],
        feedback: Iterable[Feedback],
        read_to: dict[str, int | str],
    ) -> Observed:
        """Return records that may be on record twice, each once, as it was known first."""
        said: dict[str, Prediction] = {}
        for p in predictions:
            kept = said.setdefault(p.prediction_id, p)
            if p.predicted_at < kept.predicted_at:
                said[p.prediction_id] = p
        return cls(
            predictions=tuple(said.values()), feedback=tuple(once(feedback)), read_to=read_to
        )


def observe(bus: Bus, store: Store, *, since: datetime | None = None, until: datetime) -> Observed:
    """Return all feedback, and the predictions that were made from `since` on.

    Args:
        bus: of the pipeline.
        store: with the archived repos; what they lack is read from the bus.
        since: the start of an experiment; None for everything.
        until: now.
    """
    predicted = [topics.PREDICTIONS, topics.SHADOW]
    read_to: dict[str, int | str] = {}
    days = [DATA] if since is None else _days(since - WAIT, until)
    said = list(_read(bus, store, PREDICTIONS, days, predicted, Prediction, read_to))
    reads = list(_read(bus, store, FEEDBACK, [DATA], [topics.FEEDBACK], Feedback, read_to))
    return Observed.of(said, reads, read_to)


def wait_for_archive(
    bus: Bus, store: Store, repos: Mapping[str, Sequence[Topic]] = ARCHIVES
) -> None:
    """Return when the archive holds all that stood on the bus when this was called.

    Args:
        bus: of the pipeline.
        store: of the same.
        repos: repo → the topics that it archives.
    """
    for repo, live in repos.items():
        store.ensure(repo)
        head = store.head(repo)  # Before the look: what is committed after it is not waited past.
        while _waits(bus, store, live, repo):
            store.newer(repo, head)
            head = store.head(repo)


def _waits(bus: Bus, store: Store, live: Sequence[Topic], repo: str) -> bool:
    """Say whether a message stands on the bus that its archive has not."""
    reader = bus.read(live, start=store.offsets(repo))
    try:
        return next(reader.to_end(), None) is not None
    finally:
        reader.close()


def _days(first: datetime, last: datetime) -> list[str]:
    count = (last.date() - first.date()).days + 1
    return [f"{DATA}/{first.date() + timedelta(days=n):%Y%m%d}" for n in range(count)]


def _read(
    bus: Bus,
    store: Store,
    repo: str,
    paths: Sequence[str],
    live: Sequence[Topic],
    kind: type[R],
    read_to: dict[str, int | str],
) -> Iterator[R]:
    offsets = store.offsets(repo)  # Before the head: a newer head overlaps, an older would miss.
    if commit := store.head(repo):
        read_to[repo] = commit
        for path in paths:
            for _, data in store.fetch(repo, path, commit):
                yield decode_json(data, kind)
    reader = bus.read(live, start=offsets)
    try:
        for message in reader.to_end():
            with suppress(BadInput):  # The archiver sends it to the DLQ, where it is seen.
                yield decode(message, kind)
        read_to |= {f"{topic}/{place}": n for (topic, place), n in reader.offsets().items()}
    finally:
        reader.close()
