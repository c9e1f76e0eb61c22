"""Reading and changing the control record. Writers fence each other; a stale one fails."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import closing, suppress

from msgspec import structs

from chexnet import topics
from chexnet.errors import BadInput, Stale, Unavailable
from chexnet.messages import Audit, Control, Headers, Message, Record, decode
from chexnet.steps.ports import Bus, Reader
from chexnet.topics import Topic

WRITER = "control"  # The name that all writers of control share.
SEEN = 10.0  # Seconds after which a change that was taken is not waited for any more.
NOTES = "notes"  # Of who only notes something: nobody who decides is fenced by it.


def read(bus: Bus, model: str) -> Control:
    """Return the newest control of `model`: revision 0, empty, where there is none yet."""
    reader = bus.read([topics.CONTROL])
    try:
        return _newest(reader.to_end(), Control.empty(model))
    finally:
        reader.close()


def change(bus: Bus, model: str, *, expected: int, to: Control, audit: Audit) -> Control:
    """Write the next revision of control and its audit in one transaction.

    Args:
        bus: of the pipeline.
        model: the served model's name.
        expected: the revision that the decision was made on.
        to: what control shall say; its revision and model are set here.
        audit: who decided, why and on what; its revisions and control are set here.

    Returns:
        The control that was written.

    Raises:
        Stale: control has another revision than `expected`, or another writer came in between.
    """
    with bus.exclusive(WRITER) as writer:  # Fences first: what is read next can't change unseen.
        newest = read(bus, model).revision
        if newest != expected:
            rule = f"A change of control must start from its newest revision, {newest}."
            todo = f"See what changed with chexnet audit --after {expected}, and decide again."
            raise Stale(f"{rule} Received: {expected}. {todo}")
        written = structs.replace(to, model=model, revision=expected + 1)
        entry = structs.replace(
            audit, model=model, before=expected, after=written.revision, control=written
        )
        writer.write(
            [_message(topics.CONTROL, written, entry), _message(topics.AUDIT, entry, entry)]
        )
    _until_seen(bus, written)
    return written


def _until_seen(bus: Bus, written: Control) -> None:
    """Return when readers see it: a broker answers a commit before its marker is in the log."""
    due = time.monotonic() + SEEN
    with closing(Follower(bus, written.model)) as follower, suppress(Unavailable):
        while follower.current().revision < written.revision and time.monotonic() < due:
            continue


class Follower:
    """Control as it is now, for a process that asks before each batch."""

    def __init__(self, bus: Bus, model: str) -> None:
        self._bus = bus
        self._control = Control.empty(model)
        self._reader: Reader | None = None

    def current(self) -> Control:
        """Return control as it stands now: each call reads to the end.

        So an image that is sent after a change is answered under it, by every router.

        Raises:
            Unavailable: the bus is down, or control is of a schema that this version can't read:
                no image is at fault for that.
        """
        try:
            self._reader = self._reader or self._bus.read([topics.CONTROL])
            self._control = _newest(self._reader.to_end(), self._control)
        except BaseException:
            self.close()  # It is past records that were not taken: the next call begins anew.
            raise
        return self._control

    def close(self) -> None:
        """Release the connection."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def _newest(messages: Iterable[Message], known: Control) -> Control:
    wrong: BadInput | None = None
    for message in messages:
        if message.key != known.model:
            continue
        try:
            known, wrong = decode(message, Control), None
        except BadInput as error:
            wrong = error
    if wrong is not None:
        raise Unavailable(f"Waiting for a control record that can be read: {wrong}") from wrong
    return known


def note(bus: Bus, audit: Audit) -> None:
    """Write an audit entry of what changed no control."""
    with bus.exclusive(NOTES) as writer:
        writer.write([_message(topics.AUDIT, audit, audit)])


def _message(topic: Topic, record: Record, audit: Audit) -> Message:
    headers = Headers(schema=topic.schemas[-1], created_at=audit.at)
    return Message(topic=topic, key=audit.model, value=record.encode(), headers=headers)
