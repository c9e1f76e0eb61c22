"""Files between the page and the gateway: bounded, whole or given up, and never in the way."""

from __future__ import annotations

import errno
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future, wait
from typing import IO, Any

import pytest

from chexnet.adapters.gateway import Sent
from chexnet.inputs.base import Limits
from chexnet.ui import transfer
from chexnet.ui.cases import Cases
from chexnet.ui.transfer import Inbox
from tests.bad_inputs import zipped
from tests.unit.ui.stack import Pipeline, until
from tests.waveform import signals

DATA = next(signals.draw(1)).data
LIMITS = Limits(encoded_bytes=2**12, archive_bytes=2**15)


class Blocked(Pipeline):
    """A gateway that answers when it is let, and remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.go, self.bodies = threading.Event(), [b""]

    def send(self, data: bytes | IO[bytes], *, patient: str | None = None) -> Sent:
        assert self.go.wait(20)
        assert not isinstance(data, bytes)
        self.bodies.append(data.read())
        data.seek(0)
        return super().send(data, patient=patient)


class Desk:
    """An inbox, its cases and its gateway."""

    def __init__(self, **options: Any) -> None:
        self.gateway = Blocked()
        self.cases = Cases(self.gateway.source)
        self.inbox = Inbox(self.gateway, self.cases, LIMITS, **options)

    def state(self, file_id: str) -> str:
        found = self.cases.get(file_id)
        return found.state if found else ""

    def error(self, file_id: str) -> str:
        found = self.cases.get(file_id)
        return found.error if found else ""

    def put(self, file_id: str, data: bytes, piece: int = 1000) -> Future[bool]:
        """Send a file as the page does; return what is answered to its last piece."""
        answer = self.inbox.begin(file_id, len(data), data[:piece])
        for at in range(piece, len(data), piece):
            assert answer.done()
            if not answer.result():
                break
            answer = self.inbox.add(file_id, data[at : at + piece])
        return answer


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.gateway.go.set()
    made.inbox.close()


def test_the_last_piece_is_acknowledged_when_the_gateway_has_answered(desk: Desk) -> None:
    last = desk.put("a", DATA)
    assert not wait([last], timeout=0.05).done  # So the page sends no other file for it.
    assert desk.state("a") == "sending"
    desk.gateway.go.set()
    assert last.result(20)
    assert desk.state("a") == "sent"


def test_a_gateway_that_fails_is_told_and_the_page_goes_on(desk: Desk) -> None:
    desk.gateway.send = lambda *_, **__: Sent(uploads=[None])  # type: ignore[method-assign,assignment,list-item]
    last = desk.put("a", DATA)
    assert isinstance(last.exception(20), Exception)
    assert desk.state("a") == "refused"


def test_a_zip_may_be_larger_than_an_image(desk: Desk) -> None:
    desk.gateway.go.set()
    archive = zipped(**{s.name: s.data for s in signals.draw(20)})
    assert LIMITS.encoded_bytes < len(archive) < LIMITS.archive_bytes
    desk.put("zip", archive).result(20)
    assert len([c for c in desk.cases.all() if c.state == "sent"]) == 20
    desk.put("film", bytes(len(archive)))
    assert "A file may have at most" in desk.error("film")
    assert "8-bit PNG" in desk.error("film")
    desk.put("huge", archive[:4] + bytes(LIMITS.archive_bytes))
    assert "An archive may have at most" in desk.error("huge")
    assert "Split it" in desk.error("huge")


def test_what_does_not_fit_into_memory_goes_through_whole(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "IN_MEMORY", 500)
    desk.gateway.go.set()
    desk.put("a", DATA, piece=400).result(20)
    assert desk.gateway.bodies[-1] == DATA


def test_a_full_disk_is_told_and_the_page_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "write", full)
    assert not desk.put("a", DATA).result(20)
    assert "No space left on device" in desk.error("a")


def test_a_file_that_can_no_longer_be_read_says_so_and_is_held_no_longer(desk: Desk) -> None:
    desk.inbox.begin("a", 3000, bytes(1000))
    desk.inbox.abandon("a", "Received: one that the browser can no longer read.")
    assert desk.state("a") == "refused"
    assert "Add it again" in desk.error("a")
    assert not desk.inbox.add("a", bytes(2000)).result()
    assert desk.gateway.bodies == [b""]


def test_a_page_that_closed_without_a_word_leaves_no_file_on_its_way() -> None:
    desk = Desk(patience=0.02)
    desk.inbox.begin("a", 3000, bytes(1000))
    until(lambda: desk.state("a") == "refused")
    assert "and then nothing" in desk.error("a")
    desk.inbox.close()
