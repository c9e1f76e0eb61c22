"""Who may do what on the bus, as one table; the Kafka role makes the broker keep to it.

Three users: `service`, all processes of the data's way; `reader`, the workspace in which people
read images; `operator`, who decides which model answers. Only that one writes control and audit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

from chexnet.topics import (
    ALL,
    AUDIT,
    CONTROL,
    EVERY,
    FEEDBACK,
    IMAGES,
    PREDICTIONS,
    STEPS,
    UPLOADS,
    WITH_DLQ,
    Topic,
)

DLQS = tuple(t.dlq for t in WITH_DLQ)


class Role(Struct, frozen=True, kw_only=True):
    """What one user may do. Who writes in transactions does so under its group's or own name."""

    reads: tuple[Topic, ...]
    writes: tuple[Topic, ...]
    groups: tuple[str, ...] = ()  # It joins them, and has transactions of their name.
    families: tuple[str, ...] = ()  # The same of all groups whose name begins so, and a point.
    exclusive: tuple[str, ...] = ()  # Names of writers of which there is only one at a time.


ROLES = {
    "service": Role(
        reads=(*STEPS, *DLQS, CONTROL, AUDIT),
        writes=(*STEPS, *DLQS),
        groups=("preprocess", "router", "shadow"),
        families=("notifier",),  # Each receiver's group has its own offsets.
    ),
    "reader": Role(
        # What becomes of an upload, the outputs, the reads so far, and which model answers.
        reads=(IMAGES, PREDICTIONS, FEEDBACK, UPLOADS.dlq, IMAGES.dlq, CONTROL, AUDIT),
        writes=(FEEDBACK,),
    ),
    "operator": Role(
        reads=EVERY,
        writes=(*ALL.values(), *DLQS),  # Also reads of others, and dead letters sent back.
        groups=("dlq-replay",),
        exclusive=("control", "notes"),
    ),
}


class Right(Struct, frozen=True, kw_only=True, order=True):
    """One line of the broker's list: `user` may do `operation` on what is called so."""

    user: str
    operation: Literal["read", "write"]
    kind: Literal["topic", "group", "transactional_id"]
    name: str
    prefix: bool = False  # Also on whatever begins with `name`.


def rights(pipelines: Iterable[str]) -> Iterator[Right]:
    """Yield all that users may do on the bus of these pipelines; nothing else is allowed."""
    for pipeline in pipelines:
        for user, role in ROLES.items():
            yield from _of(pipeline, user, role)


def _of(pipeline: str, user: str, role: Role) -> Iterator[Right]:
    for topic in role.reads:
        yield Right(user=user, operation="read", kind="topic", name=topic.full_name(pipeline))
    for topic in role.writes:
        yield Right(user=user, operation="write", kind="topic", name=topic.full_name(pipeline))
    for group in role.groups:
        full = f"{pipeline}.{group}"
        yield Right(user=user, operation="read", kind="group", name=full)
        own = f"{full}."  # An instance's name follows.
        yield Right(user=user, operation="write", kind="transactional_id", name=own, prefix=True)
    for family in role.families:
        own = f"{pipeline}.{family}."
        yield Right(user=user, operation="read", kind="group", name=own, prefix=True)
        yield Right(user=user, operation="write", kind="transactional_id", name=own, prefix=True)
    for name in role.exclusive:
        full = f"{pipeline}.{name}"
        yield Right(user=user, operation="write", kind="transactional_id", name=full)
