"""The audit as a chain: each entry names the SHA-256 of the one before.

Whoever can write bus and archive can also write the whole chain anew. So tampering is found only
against a head that was kept elsewhere: every notice carries one, and `chexnet audit --verify
--head` takes it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

import msgspec
from msgspec import Struct

from chexnet import topics
from chexnet.errors import BadInput, NotFound, Unavailable
from chexnet.messages import Audit, Control, Message, decode, decode_json, sha256
from chexnet.steps.ports import Bus, Store

REPO = "audit"
DATA = "/data"


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of the repo: a record of the audit's topic, and where it stands in the chain."""

    number: int  # 1, 2, 3 …
    offset: int  # Of the record, on its topic; a transaction's end takes an offset too.
    previous: str  # SHA-256 of the entry before, as it was written.
    record: str  # As it stood on the topic; as text, so that no other program writes it otherwise.

    def encode(self) -> bytes:
        """Return its canonical JSON: UTF-8, keys sorted, no space; it has no fractions."""
        return msgspec.json.encode(self, order="sorted")


class Head(Struct, frozen=True, kw_only=True):
    """Where a chain ends: how many entries it has, and the last one's SHA-256."""

    number: int
    sha256: str


NONE = Head(number=0, sha256="0" * 64)  # Of a chain without entries.


class Chain:
    """Makes the next entry of each record, from the head of the archive on.

    Made anew by its archiver whenever that starts from what is archived: then both agree.
    """

    def __init__(self, store: Store) -> None:
        last = _last(store)
        self._head = _after(last) if last else NONE
        self._reached = last.offset if last else -1

    def __call__(self, message: Message) -> tuple[str, bytes]:
        """Return the path and the bytes of the entry that `message` becomes.

        Raises:
            Unavailable: it has one: a commit ended between two looks at the store. Begin anew.
        """
        if message.offset <= self._reached:
            rule = f"The chain goes on behind the record at offset {self._reached}."
            raise Unavailable(f"{rule} Received: that at {message.offset}, which has its entry.")
        entry = Entry(
            number=self._head.number + 1,
            offset=message.offset,
            previous=self._head.sha256,
            record=_text(message),
        )
        self._head, self._reached = _after(entry), message.offset
        return path(message.offset), entry.encode()


class Verdict(Struct, frozen=True, kw_only=True):
    """What a check of the chain has found."""

    head: Head  # Of the part that is whole.
    waiting: int  # Records of the topic that are not archived yet.
    broken: str = ""  # The first entry that does not hold, and why; "" where all do.
    passed: frozenset[str] = frozenset()  # The SHA-256 of every entry that holds.


def verify(bus: Bus, store: Store) -> Verdict:
    """Check every entry against the one before it, against the record on the topic, and control.

    Whoever writes control without an entry changes the champion, and leaves the chain whole: so the
    controls on their topic must be those that the audit has, and the newest of both the same.

    Args:
        bus: of the pipeline.
        store: of the same.
    """
    # In this order: what is archived in between is an entry more, and none that is missing.
    archived = store.offsets(REPO)[topics.AUDIT.name, 0] if store.head(REPO) else 0
    commit = store.head(REPO)
    controls = bus.read([topics.CONTROL])
    try:
        written = list(controls.to_end())
        records = _records(bus)
        unaudited = _unaudited(written, list(controls.to_end()), records.values())
    finally:
        controls.close()
    reached, passed, broken = NONE, set(), ""
    for place, data in _files(store, commit):
        entry, broken = _read(place, data)
        if entry is not None:
            broken = _fault(entry, place, reached, records)
        if entry is None or broken:
            break
        records.pop(entry.offset, None)
        reached = _after(entry)
        passed.add(reached.sha256)
    gone = sorted(offset for offset in records if offset < archived)
    if gone and not broken:
        rule = "Every record of the topic must have its entry."
        broken = f"{rule} Received: none of the record at offset {gone[0]}, {path(gone[0])}."
    return Verdict(
        head=reached,
        waiting=sum(offset >= archived for offset in records),
        broken=broken or unaudited,
        passed=frozenset(passed),
    )


def head(store: Store) -> Head:
    """Return where the archived chain ends."""
    last = _last(store)
    return _after(last) if last else NONE


def _last(store: Store) -> Entry | None:
    if (commit := store.head(REPO)) is None or not (paths := store.list(REPO, DATA, commit)):
        return None
    return msgspec.json.decode(store.read(REPO, paths[-1], commit), type=Entry)


def archived(store: Store, offset: int) -> Head | None:
    """Return the chain's head as it was with the record at `offset`; None before it is archived."""
    try:
        return _after(msgspec.json.decode(store.read(REPO, path(offset)), type=Entry))
    except NotFound:
        return None


def path(offset: int) -> str:
    """Return where the record at `offset` is archived: the order of paths is the chain's."""
    return f"{DATA}/{offset:012d}.json"


def _after(entry: Entry) -> Head:
    return Head(number=entry.number, sha256=sha256(entry.encode()))


def _text(message: Message) -> str:
    return message.value.decode(errors="replace")


def _records(bus: Bus) -> dict[int, str]:
    reader = bus.read([topics.AUDIT])
    try:
        return {m.offset: _text(m) for m in reader.to_end()}
    finally:
        reader.close()


def _files(store: Store, commit: str | None) -> Iterator[tuple[str, bytes]]:
    if commit is not None:
        yield from sorted(store.fetch(REPO, DATA, commit))


def _unaudited(
    written: Sequence[Message], meanwhile: Sequence[Message], records: Iterable[str]
) -> str:
    """Say which control is not the audit's; else "".

    Args:
        written: what the topic of control held before the audit was read.
        meanwhile: what came while it was read: any of it may be the audit's newest.
        records: the audit's.
    """
    audited: dict[str, dict[int, Control]] = {}
    for record in records:
        with suppress(BadInput):  # It is kept as it stands; the chain vouches for it.
            if (control := decode_json(record.encode(), Audit).control) is not None:
                audited.setdefault(control.model, {})[control.revision] = control
    standing: dict[str, set[int]] = {}
    for place, message in enumerate([*written, *meanwhile]):
        try:
            control = decode(message, Control)
        except BadInput as error:
            return f"A control record must be one. Received: offset {message.offset}, {error}"
        of = audited.get(message.key, {})
        if place < len(written):
            if control != of.get(control.revision):
                rule = "Each control must be as an entry of the audit has it."
                said = f"revision {control.revision} of {message.key} at offset {message.offset}"
                return f"{rule} Received: {said}, of champion {control.champion}, in none."
            standing[message.key] = {control.revision}  # Later ones replace it.
        else:
            standing.setdefault(message.key, set()).add(control.revision)
    for model, of in audited.items():
        if max(of) not in (found := standing.get(model, set())):
            rule = f"The newest control of {model} must be the audit's newest, revision {max(of)}."
            return f"{rule} Received: {', '.join(map(str, sorted(found))) or 'none'}."
    return ""


def _read(place: str, data: bytes) -> tuple[Entry | None, str]:
    """Return the entry in a file, or why it is none."""
    try:
        entry = msgspec.json.decode(data, type=Entry)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        return None, f"An entry must be the JSON of its four fields. Received: {place}, {error}."
    if entry.encode() != data or path(entry.offset) != place:
        rule = "An entry must be in its canonical form, under the path of its offset."
        return None, f"{rule} Received: {place}, otherwise."
    return entry, ""


def _fault(entry: Entry, place: str, before: Head, records: Mapping[int, str]) -> str:
    """Say why an entry does not follow what came before, or is not the topic's; else ""."""
    here = f"entry {entry.number}, {place}"
    if entry.number != before.number + 1:
        rule = f"Entry {before.number + 1} must follow entry {before.number}."
        return f"{rule} Received: {here}. What stood between them is gone."
    if entry.previous != before.sha256:
        rule = f"An entry must name the SHA-256 of the one before, {before.sha256}."
        why = f"It or entry {before.number} was changed."
        return f"{rule} Received: {entry.previous}, in {here}. {why}"
    if (record := records.get(entry.offset)) is None:
        return f"An entry must have its record on the topic. Received: none of {here}."
    if record != entry.record:
        return f"An entry must be the record on the topic. Received: another, in {here}."
    return ""
