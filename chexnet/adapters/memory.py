"""The ports in memory, for unit tests. tests/contract holds them to what the real ones do."""

from __future__ import annotations

import re
import threading
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from msgspec import structs

from chexnet.errors import NotFound, Stale
from chexnet.messages import Message, new_id, now
from chexnet.steps.ports import Offsets, Place, Start, Version
from chexnet.topics import Topic


class MemoryBus:
    """A bus of one process: partitions are lists, a transaction is one lock."""

    def __init__(self, clock: Callable[[], datetime] = now) -> None:
        self._clock = clock  # Of the broker: it stamps what comes.
        self._log: dict[Place, list[tuple[datetime, Message]]] = defaultdict(list)
        self._topics: dict[str, Topic] = {}
        self._committed: dict[tuple[str, Place], int] = {}
        self._fences: dict[str, int] = defaultdict(int)
        self._changed = threading.Condition()

    def send(self, messages: Sequence[Message]) -> None:
        """Append to the partition that the key's hash names."""
        with self._changed:
            for m in messages:
                partition = zlib.crc32(m.key.encode()) % m.topic.partitions
                log = self._log[m.topic.name, partition]
                log.append(
                    (self._clock(), structs.replace(m, partition=partition, offset=len(log)))
                )
            self._changed.notify_all()

    def subscribe(self, topic: Topic, *, group: str, instance: str) -> MemorySubscription:  # noqa: ARG002
        """Take all partitions: one member a group."""
        return MemorySubscription(self, topic, group)

    def read(self, topics: Iterable[Topic], *, start: Start = "beginning") -> MemoryReader:
        """Read from `start` on."""
        return MemoryReader(self, tuple(topics), start)

    @contextmanager
    def exclusive(self, name: str) -> Iterator[MemoryExclusive]:
        """Fence the writer before."""
        self._fences[name] += 1
        yield MemoryExclusive(self, name, self._fences[name])

    def close(self) -> None:
        """Hold nothing."""


class MemoryExclusive:
    """Writes until a newer writer of its name comes."""

    def __init__(self, bus: MemoryBus, name: str, fence: int) -> None:
        self._bus, self._name, self._fence = bus, name, fence

    def write(self, messages: Sequence[Message]) -> None:
        """Write all, or raise Stale."""
        if self._bus._fences[self._name] != self._fence:
            raise Stale(
                f"Only one writer may be {self._name!r}. A newer one has come: start again."
            )
        self._bus.send(messages)


class _Cursor:
    """Where a consumer stands in each partition of its topics."""

    def __init__(self, bus: MemoryBus, topics: Sequence[Topic], at: Mapping[Place, int]) -> None:
        self._bus = bus
        self._next = {
            (t.name, p): at.get((t.name, p), 0) for t in topics for p in range(t.partitions)
        }

    def _take(self, at_most: int, timeout: float) -> list[Message]:
        with self._bus._changed:
            self._bus._changed.wait_for(self._waiting, timeout)
            taken: list[Message] = []
            for place in self._next:
                fresh = self._bus._log[place][self._next[place] :][: at_most - len(taken)]
                self._next[place] += len(fresh)
                taken += [m for _, m in fresh]
            return taken

    def _waiting(self) -> int:
        return sum(len(self._bus._log[place]) - n for place, n in self._next.items())


class MemorySubscription(_Cursor):
    """One group's only member."""

    def __init__(self, bus: MemoryBus, topic: Topic, group: str) -> None:
        self._group, self._topic = group, topic
        super().__init__(bus, [topic], self._stored(bus))

    def _stored(self, bus: MemoryBus) -> dict[Place, int]:
        return {place: n for (group, place), n in bus._committed.items() if group == self._group}

    def poll(self, *, at_most: int, timeout: float) -> list[Message]:
        """Return what waits, up to `at_most`."""
        return self._take(at_most, timeout)

    def complete(self, produced: Sequence[Message]) -> None:
        """Write the results and the offsets."""
        self._bus.send(produced)
        self._bus._committed.update({(self._group, p): n for p, n in self._next.items()})

    def rewind(self) -> None:
        """Go back to what is committed."""
        super().__init__(self._bus, [self._topic], self._stored(self._bus))

    def lag(self) -> int:
        """Return how many messages wait."""
        return self._waiting()

    def close(self) -> None:
        """Hold nothing."""


class MemoryReader(_Cursor):
    """Reads without a group."""

    def __init__(self, bus: MemoryBus, topics: Sequence[Topic], start: Start) -> None:
        places = [(t.name, p) for t in topics for p in range(t.partitions)]
        at: dict[Place, int]
        if isinstance(start, datetime):
            at = {p: sum(when < start for when, _ in bus._log[p]) for p in places}
        elif start == "end":
            at = {p: len(bus._log[p]) for p in places}
        else:
            at = {} if isinstance(start, str) else dict(start)
        super().__init__(bus, topics, at)

    def poll(self, *, timeout: float) -> list[Message]:
        """Return what has come."""
        return self._take(1000, timeout)

    def to_end(self) -> Iterator[Message]:
        """Yield what is there."""
        yield from self._take(2**62, 0)

    def offsets(self) -> dict[Place, int]:
        """Return where it stands."""
        return dict(self._next)

    def close(self) -> None:
        """Hold nothing."""


class MemoryStore:
    """Repos as dictionaries: each commit is a whole tree."""

    def __init__(self) -> None:
        self._commits: dict[str, dict[str, dict[str, bytes]]] = defaultdict(dict)
        self._written = threading.Condition()
        self._derived: list[tuple[Version, Version]] = []

    def ensure(self, repo: str) -> None:
        """Create `repo` where it is missing."""
        self._commits[repo]

    def write(
        self,
        repo: str,
        files: Mapping[str, bytes],
        offsets: Offsets | None = None,
        *,
        remove: Sequence[str] = (),
    ) -> str:
        """Make one commit."""
        if repo not in self._commits:
            raise NotFound(f"A commit needs a repo. Received: {repo!r}. Create it first.")
        head = self.head(repo)
        tree = dict(self._commits[repo][head]) if head else {}
        for path in remove:
            tree.pop(path, None)
        bus = {f"/_bus/{t}/{p}": str(n).encode() for (t, p), n in (offsets or {}).items()}
        commit = new_id().replace("-", "")
        with self._written:
            self._commits[repo][commit] = {**tree, **files, **bus}
            self._written.notify_all()
        return commit

    def head(self, repo: str) -> str | None:
        """Return the last commit."""
        return next(reversed(self._commits[repo]), None) if repo in self._commits else None

    def commits(self, repo: str) -> Iterator[str]:
        """Yield the commits, the newest first."""
        yield from reversed(self._commits.get(repo, {}))

    def _tree(self, repo: str, commit: str | None) -> dict[str, bytes]:
        wanted = commit or self.head(repo)
        if wanted is None:
            return {}
        if wanted not in self._commits.get(repo, {}):
            raise NotFound(f"{repo} has no commit {wanted}. List them with: chexnet status store")
        return self._commits[repo][wanted]

    def read(self, repo: str, path: str, commit: str | None = None) -> bytes:
        """Return one file."""
        tree = self._tree(repo, commit)
        if path not in tree:
            raise NotFound(f"{repo}@{commit or 'head'} has no file {path}.")
        return tree[path]

    def list(self, repo: str, path: str = "/", commit: str | None = None) -> list[str]:
        """Return the paths below `path`."""
        below = path.rstrip("/") + "/"
        return sorted(p for p in self._tree(repo, commit) if p == path or p.startswith(below))

    def glob(self, repo: str, pattern: str, commit: str | None = None) -> Sequence[str]:
        """Return the paths that match."""
        matches = re.compile("[^/]*".join(map(re.escape, pattern.split("*")))).fullmatch
        return sorted(path for path in self._tree(repo, commit) if matches(path))

    def fetch(
        self, repo: str, path: str = "/", commit: str | None = None
    ) -> Iterator[tuple[str, bytes]]:
        """Yield the files below `path`."""
        tree = self._tree(repo, commit)
        yield from ((p, tree[p]) for p in self.list(repo, path, commit))

    def offsets(self, repo: str) -> dict[Place, int]:
        """Return the offsets in the head."""
        found = {}
        for path, data in self.fetch(repo, "/_bus"):
            _, _, topic, partition = path.split("/")
            found[topic, int(partition)] = int(data)
        return found

    def upstream(self, repo: str, commit: str) -> Sequence[Version]:
        """Return the commits that `derive` says one was made from."""
        self._tree(repo, commit)
        return [up for up, down in self._derived if down == (repo, commit)]

    def downstream(self, repo: str, commit: str) -> Sequence[Version]:
        """Return the commits that `derive` says were made from one."""
        self._tree(repo, commit)
        return [down for up, down in self._derived if up == (repo, commit)]

    def derive(self, downstream: Version, *upstream: Version) -> None:
        """Say what a commit was made from, as a pipeline's job would."""
        self._derived += [(up, downstream) for up in upstream]

    def newer(self, repo: str, than: str | None) -> str:
        """Wait for a commit after `than`."""

        def after() -> list[str]:
            commits = list(self._commits[repo])
            return commits[commits.index(than) + 1 if than else 0 :]

        with self._written:
            self._written.wait_for(after)
            return after()[0]
