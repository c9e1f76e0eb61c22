"""The audit's chain: what anybody can recompute, and what each way to tamper with it shows."""

from __future__ import annotations

import hashlib
import json
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from chexnet.adapters.memory import MemoryBus, MemoryStore
from chexnet.errors import Unavailable
from chexnet.experiments import chain, decisions
from chexnet.experiments.control import read
from chexnet.experiments.decisions import By
from chexnet.messages import Headers, Message
from chexnet.runtime.archiver import Archiver
from chexnet.runtime.health import Health
from chexnet.topics import AUDIT, CONTROL

ME = By(who="me", at=datetime(2026, 1, 2, tzinfo=UTC))


def decide(bus: MemoryBus, count: int) -> None:
    for _ in range(count):
        version = read(bus, "xray").revision + 1
        decisions.keep(bus, "xray", version, ME, {"auroc": 0.1 + 0.2})


def archive(bus: MemoryBus, store: MemoryStore) -> None:
    """Write what an archiver that starts now would write."""
    store.ensure(chain.REPO)
    reader, filing = bus.read([AUDIT], start=store.offsets(chain.REPO)), chain.Chain(store)
    store.write(chain.REPO, dict(map(filing, reader.to_end())), reader.offsets())


def run_archiver(bus: MemoryBus, store: MemoryStore) -> None:
    """Let the archiver work until it has all, as its service does."""
    stop, wanted = threading.Event(), len(list(bus.read([AUDIT]).to_end()))
    archiver = Archiver(
        *(bus, store, chain.REPO, [AUDIT]),
        health=Health("archiver-audit"),
        stop=stop,
        filing=chain.Chain,
        age=0.01,
        count=2,
    )
    thread = threading.Thread(target=archiver.run)
    thread.start()
    while store.head(chain.REPO) is None or store.offsets(chain.REPO)["audit", 0] < wanted:
        stop.wait(0.005)
    stop.set()
    thread.join()


def test_the_archiver_writes_the_chain_and_goes_on_with_it() -> None:
    bus, store = MemoryBus(), MemoryStore()
    decide(bus, 3)
    run_archiver(bus, store)
    decide(bus, 2)
    run_archiver(bus, store)
    assert chain.verify(bus, store).head.number == 5
    assert chain.verify(bus, store).broken == ""


@pytest.fixture
def five() -> tuple[MemoryBus, MemoryStore]:
    """Five entries, archived by two lives of the archiver."""
    bus, store = MemoryBus(), MemoryStore()
    decide(bus, 3)
    archive(bus, store)
    decide(bus, 2)
    archive(bus, store)
    return bus, store


def test_each_entry_has_the_sha256_of_the_bytes_before(five) -> None:
    bus, store = five
    files = [data for _, data in store.fetch("audit", "/data")]
    entries = [json.loads(data) for data in files]
    assert [e["number"] for e in entries] == [1, 2, 3, 4, 5]
    digests = ["0" * 64, *(hashlib.sha256(data).hexdigest() for data in files)]
    assert [e["previous"] for e in entries] == digests[:-1]
    assert chain.head(store) == chain.Head(number=5, sha256=digests[-1])
    records = [m.value.decode() for m in bus.read([AUDIT]).to_end()]
    assert [e["record"] for e in entries] == records


@given(st.text())
def test_the_canonical_form_is_what_pythons_json_writes_with_sorted_keys(text: str) -> None:
    data = chain.Entry(number=1, offset=0, previous="", record=text).encode()
    form = {"sort_keys": True, "separators": (",", ":"), "ensure_ascii": False}
    assert json.dumps(json.loads(data), **form).encode() == data
    assert json.loads(data)["record"] == text


def test_a_whole_chain_is_said_to_be(five) -> None:
    bus, store = five
    found = chain.verify(bus, store)
    assert (found.broken, found.head, found.waiting) == ("", chain.head(store), 0)
    assert len(found.passed) == 5
    decide(bus, 1)
    assert chain.verify(bus, store).waiting == 1


def test_before_the_first_entry_all_is_whole() -> None:
    found = chain.verify(MemoryBus(), MemoryStore())
    assert (found.broken, found.head) == ("", chain.NONE)


def test_a_record_that_is_not_text_is_kept_and_stops_nothing() -> None:
    bus, store = MemoryBus(), MemoryStore()
    headers = Headers(schema="audit/1", created_at=ME.at)
    bus.send([Message(topic=AUDIT, key="xray", value=b"\xff\x00", headers=headers)])
    decide(bus, 1)
    archive(bus, store)
    assert chain.verify(bus, store).broken == ""


def rewritten(store: MemoryStore, number: int, follow: bool) -> None:
    """Write another author into an entry, and its followers' digests anew if `follow`."""
    files = dict(store.fetch("audit", "/data"))
    previous = None
    for place, data in files.items():
        entry = json.loads(data)
        if entry["number"] == number:
            entry["record"] = entry["record"].replace('"me"', '"her"')
        elif entry["number"] < number or not follow:
            continue
        entry["previous"] = previous or entry["previous"]
        files[place] = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()
        previous = hashlib.sha256(files[place]).hexdigest()
    store.write("audit", files)


class Forgotten(MemoryBus):
    """A bus on which the same was tampered with: nothing is there to compare."""

    def __init__(self, bus: MemoryBus, number: int) -> None:
        super().__init__()
        self.send(list(bus.read([CONTROL]).to_end()))
        for m in bus.read([AUDIT]).to_end():
            value = m.value.replace(b'"me"', b'"her"') if m.offset == number - 1 else m.value
            self.send([Message(topic=AUDIT, key=m.key, value=value, headers=m.headers)])


def test_an_entry_that_the_bus_has_otherwise_is_named(five) -> None:
    bus, store = five
    rewritten(store, 3, follow=True)
    found = chain.verify(bus, store)
    assert found.head.number == 2
    assert "must be the record on the topic" in found.broken
    assert "entry 3, /data/000000000002.json" in found.broken


def test_without_the_bus_the_next_entry_gives_it_away(five) -> None:
    bus, store = five
    rewritten(store, 3, follow=False)
    found = chain.verify(Forgotten(bus, 3), store)
    assert "in entry 4, /data/000000000003.json. It or entry 3 was changed." in found.broken


def test_only_a_head_kept_elsewhere_finds_a_chain_that_was_written_anew(five) -> None:
    bus, store = five
    kept = chain.head(store).sha256
    rewritten(store, 3, follow=True)
    found = chain.verify(Forgotten(bus, 3), store)
    assert found.broken == ""
    assert kept not in found.passed


@pytest.mark.parametrize(("number", "told"), [(3, "Entry 3 must follow"), (5, "at offset 4")])
def test_an_entry_that_is_gone_is_named(five, number: int, told: str) -> None:
    bus, store = five
    store.write("audit", {}, remove=[chain.path(number - 1)])
    assert told in chain.verify(bus, store).broken


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"number": 3}'])
def test_a_file_that_is_no_entry_is_named(five, data: bytes) -> None:
    bus, store = five
    store.write("audit", {chain.path(2): data})
    found = chain.verify(bus, store)
    assert (found.head.number, "/data/000000000002.json" in found.broken) == (2, True)


def test_a_form_that_is_not_canonical_is_named(five) -> None:
    bus, store = five
    loose = json.dumps(json.loads(store.read("audit", chain.path(4)))).encode()
    store.write("audit", {chain.path(4): loose})
    assert "canonical form" in chain.verify(bus, store).broken


def test_the_head_at_a_record_is_known_once_it_is_archived(five) -> None:
    bus, store = five
    assert chain.archived(store, 4) == chain.head(store)
    decide(bus, 1)
    assert chain.archived(store, 5) is None


def control_without_audit(bus: MemoryBus, **changes: object) -> None:
    """Write control as somebody would who has the bus, and no wish to be on record."""
    control = structs.replace(read(bus, "xray"), **changes)
    headers = Headers(schema="control/1", created_at=ME.at)
    bus.send([Message(topic=CONTROL, key="xray", value=control.encode(), headers=headers)])


def test_a_control_that_no_entry_made_is_named(five) -> None:
    bus, store = five
    control_without_audit(bus, champion=4, revision=6)
    found = chain.verify(bus, store)
    assert (found.head.number, len(found.passed)) == (5, 5)  # The chain itself is whole.
    assert "Received: revision 6 of xray at offset 5, of champion 4, in none." in found.broken


def test_a_control_that_takes_an_entrys_revision_is_named(five) -> None:
    bus, store = five
    control_without_audit(bus, champion=4)
    assert "revision 5 of xray at offset 5, of champion 4" in chain.verify(bus, store).broken


def test_a_control_that_was_set_back_to_an_older_one_is_named(five) -> None:
    bus, store = five
    (first, *_) = bus.read([CONTROL]).to_end()
    bus.send([structs.replace(first, offset=-1)])
    told = chain.verify(bus, store).broken
    assert told == (
        "The newest control of xray must be the audit's newest, revision 5. Received: 1."
    )


def test_a_control_that_is_gone_is_named(five) -> None:
    bus, store = five
    bus._log["control", 0].clear()
    assert "revision 5. Received: none." in chain.verify(bus, store).broken


def test_who_decides_while_it_is_checked_breaks_nothing(five) -> None:
    bus, store = five

    class Busy(MemoryBus):
        def read(self, wanted, *, start="beginning"):
            if wanted == [AUDIT]:  # The controls have been read; the audit has not.
                self.__class__ = MemoryBus
                decide(self, 2)
            return MemoryBus.read(self, wanted, start=start)

    bus.__class__ = Busy
    found = chain.verify(bus, store)
    assert (found.broken, found.waiting) == ("", 2)


def test_what_is_archived_while_it_is_checked_breaks_nothing(five) -> None:
    bus, store = five
    decide(bus, 2)

    class Busy(MemoryStore):
        def offsets(self, repo):
            self.__class__ = MemoryStore
            found = self.offsets(repo)
            archive(bus, self)
            return found

        def head(self, repo):
            found = MemoryStore.head(self, repo)
            if found is not None:
                self.__class__ = MemoryStore
                archive(bus, self)
            return found

    store.__class__ = Busy
    assert chain.verify(bus, store).broken == ""


def test_a_record_that_was_archived_between_two_looks_gets_no_second_entry(five) -> None:
    bus, store = five
    (again, *_) = bus.read([AUDIT]).to_end()
    with pytest.raises(Unavailable, match="goes on behind the record at offset"):
        chain.Chain(store)(again)
