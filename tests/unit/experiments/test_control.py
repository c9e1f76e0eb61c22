"""Control: changed as a whole, with its audit, from the newest revision only."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec import structs

from chexnet import topics
from chexnet.adapters.memory import MemoryBus
from chexnet.errors import Stale, Unavailable
from chexnet.experiments.control import WRITER, Follower, change, read
from chexnet.messages import Audit, Control, Headers, Message, decode

AT = datetime(2026, 1, 2, tzinfo=UTC)


def audit() -> Audit:
    return Audit(
        audit_id="a",
        at=AT,
        who="me",
        verified=False,
        action="promote",
        model="",
        before=-1,
        after=-1,
    )


def promote(bus: MemoryBus, version: int, expected: int, model: str = "xray") -> Control:
    to = structs.replace(Control.empty(model), champion=version)
    return change(bus, model, expected=expected, to=to, audit=audit())


def test_before_the_first_change_control_is_empty() -> None:
    assert read(MemoryBus(), "xray") == Control.empty("xray")


def test_a_change_is_the_next_revision_and_is_read_back() -> None:
    bus = MemoryBus()
    written = promote(bus, 3, expected=0)
    assert (written.revision, written.champion) == (1, 3)
    assert read(bus, "xray") == written


def test_a_change_and_its_audit_are_written_together_under_the_models_name() -> None:
    bus = MemoryBus()
    written = promote(bus, 3, expected=0)
    (message,) = bus.read([topics.AUDIT]).to_end()
    entry = decode(message, Audit)
    assert (message.key, entry.model, entry.before, entry.after) == ("xray", "xray", 0, 1)
    assert entry.control == written


def test_a_change_from_an_older_revision_says_which_is_newest_and_writes_nothing() -> None:
    bus = MemoryBus()
    promote(bus, 1, expected=0)
    promote(bus, 2, expected=1)
    with pytest.raises(
        Stale,
        match=r"^A change of control must start from its newest revision, 2\. Received: 1\. "
        r"See what changed with chexnet audit --after 1, and decide again\.$",
    ):
        promote(bus, 9, expected=1)
    assert read(bus, "xray").champion == 2
    assert len(list(bus.read([topics.AUDIT]).to_end())) == 2


class Racing(MemoryBus):
    """A bus on which another writer comes between the reading and the writing."""

    def read(self, *args, **kwargs):
        reader = super().read(*args, **kwargs)
        with self.exclusive(WRITER):
            return reader


def test_a_writer_that_another_one_has_overtaken_is_fenced() -> None:
    bus = Racing()
    with pytest.raises(Stale, match="newer one"):
        promote(bus, 1, expected=0)
    assert not list(MemoryBus.read(bus, [topics.CONTROL, topics.AUDIT]).to_end())


def test_models_do_not_see_each_others_control() -> None:
    bus = MemoryBus()
    promote(bus, 7, expected=0, model="waveform")
    assert read(bus, "xray") == Control.empty("xray")
    assert promote(bus, 1, expected=0).revision == 1


def test_a_follower_starts_at_the_end_and_then_sees_each_change() -> None:
    bus = MemoryBus()
    promote(bus, 1, expected=0)
    follower = Follower(bus, "xray")
    assert follower.current().champion == 1
    assert follower.current().champion == 1
    promote(bus, 2, expected=1)
    assert follower.current().champion == 2


def put(bus: MemoryBus, schema: str, control: Control) -> None:
    headers = Headers(schema=schema, created_at=AT)
    bus.send([Message(topic=topics.CONTROL, key="xray", value=control.encode(), headers=headers)])


def test_a_follower_waits_where_control_is_of_a_newer_schema() -> None:
    bus = MemoryBus()
    put(bus, "control/9", Control.empty("xray"))
    with pytest.raises(Unavailable, match=r"control/1.*'control/9'"):
        Follower(bus, "xray").current()


def test_a_follower_never_goes_on_past_control_that_it_could_not_read() -> None:
    bus = MemoryBus()
    promote(bus, 1, expected=0)
    follower = Follower(bus, "xray")
    assert follower.current().champion == 1
    put(bus, "control/9", Control.empty("xray"))
    for _ in range(2):
        with pytest.raises(Unavailable):
            follower.current()
    newer = structs.replace(Control.empty("xray"), revision=3, champion=3)
    put(bus, "control/1", newer)
    assert follower.current().champion == 3


class Breaking(MemoryBus):
    """A bus that goes down once a reader has given the first record."""

    down = False

    def read(self, *args, **kwargs):
        reader, to_end = super().read(*args, **kwargs), MemoryBus.read(self, *args, **kwargs).to_end

        def broken():
            for message in to_end():
                yield message
                if self.down:
                    raise Unavailable("gone")

        reader.to_end = broken
        return reader


def test_a_follower_has_read_nothing_of_what_an_outage_broke_off() -> None:
    bus = Breaking()
    promote(bus, 1, expected=0)
    follower = Follower(bus, "xray")
    bus.down = True
    with pytest.raises(Unavailable):
        follower.current()
    bus.down = False
    assert follower.current().champion == 1
