"""Changing what replicas serve, without a moment at which a label or its version is missing.

First the new versions are loaded beside the old; when they answer, the labels move; then what is
not wanted is unloaded. TF Serving refuses a label on a version that does not answer yet.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from chexnet.adapters.tf_serving.config_file import ConfigFile, changed
from chexnet.adapters.tf_serving.messages import model_server_config_pb2
from chexnet.adapters.tf_serving.replica import Replica, Status
from chexnet.errors import ChexnetError, Refused, Unavailable

AVAILABLE = "AVAILABLE"
COMING = {"START", "LOADING"}
APPEARS = 10.0  # Seconds in which a server looks at its folders, even one that is busy.
POLL = 0.05


class Wanted(Struct, frozen=True, kw_only=True):
    """What one model shall be."""

    model: str
    base_path: Path
    versions: frozenset[int]
    labels: dict[str, int]


def apply(
    wanted: Wanted,
    replicas: Sequence[Replica],
    file: ConfigFile,
    *,
    timeout: float,
    load_timeout: float,
) -> None:
    """Bring every replica and the file there; raise the first of what could not be done."""
    problems: list[ChexnetError] = []
    with file.locked():
        others = file.read()
        for replica in replicas:
            change = _Change(wanted, replica, others, timeout)
            try:
                change.load()
                problems += change.wait(load_timeout)
                change.settle()
            except ChexnetError as error:
                problems.append(error)
        file.write(
            changed(
                others,
                wanted.model,
                wanted.base_path,
                versions=wanted.versions,
                labels=wanted.labels,
            )
        )
    if problems:
        raise next((p for p in problems if isinstance(p, Unavailable)), problems[0])


class _Change:
    """The change on one replica."""

    def __init__(
        self,
        wanted: Wanted,
        replica: Replica,
        others: model_server_config_pb2.ModelServerConfig,
        timeout: float,
    ) -> None:
        self._wanted = wanted
        self._replica = replica
        self._others = others
        self._timeout = timeout

    def _available(self) -> set[int]:
        return {v for v, s in self._states().items() if s.state == AVAILABLE}

    def _states(self) -> dict[int, Status]:
        return self._replica.states(self._wanted.model, self._timeout)

    def _reload(self, versions: set[int], labels: dict[str, int]) -> None:
        config = changed(
            self._others,
            self._wanted.model,
            self._wanted.base_path,
            versions=versions,
            labels=labels,
        )
        self._replica.reload(config, self._timeout)

    def _standing(self, available: set[int]) -> dict[str, int]:
        """Return the labels as they are now: those of the file whose versions answer."""
        entries = self._others.model_config_list.config
        entry = next((e for e in entries if e.name == self._wanted.model), None)
        labels = entry.version_labels.items() if entry is not None else ()
        return {name: version for name, version in labels if version in available}

    def load(self) -> None:
        """Ask for the new versions beside the old ones, under the labels that stand."""
        available = self._available()
        if not self._wanted.versions <= available:
            self._reload({*available, *self._wanted.versions}, self._standing(available))

    def wait(self, timeout: float) -> list[ChexnetError]:
        """Return when each wanted version answers or can't; the reasons of those that don't."""
        start = moved = time.monotonic()
        while True:
            states = self._states()
            mine = {v: states.get(v) for v in sorted(self._wanted.versions)}
            now = time.monotonic()
            if any(status and status.state in COMING for status in mine.values()):
                moved = now  # It works through them; what it does not mention yet may follow.
            settled = all(not _may_come(status) for status in mine.values())
            if settled or now - moved > APPEARS or now - start > timeout:
                return [self._refusal(v, s) for v, s in mine.items() if not _answers(s)]
            time.sleep(POLL)

    def settle(self) -> None:
        """Move the labels whose versions answer, and let go of what is not wanted.

        A label whose version does not answer stays where it is: an old answer beats none.
        """
        available = self._available()
        wanted = {name: v for name, v in self._wanted.labels.items() if v in available}
        standing = self._standing(available)
        kept = {name: v for name, v in standing.items() if name in self._wanted.labels}
        labels = {**kept, **wanted}
        self._reload({*self._wanted.versions, *labels.values()}, labels)

    def _refusal(self, version: int, status: Status | None) -> ChexnetError:
        rule = f"Every replica must serve version {version} of {self._wanted.model}."
        received = f"Received: on {self._replica.address}:"
        if status is not None and status.state in COMING:
            return Unavailable(f"{rule} {received} {status.state}. Wait: chexnet status serving")
        why = status.message if status and status.message else "it finds no such folder."
        return Refused(f"{rule} {received} {why} Release it again with: chexnet release")


def _answers(status: Status | None) -> bool:
    return status is not None and status.state == AVAILABLE


def _may_come(status: Status | None) -> bool:
    """Whether it may answer yet: END without a reason is of an earlier life."""
    return status is None or (status.state != AVAILABLE and not status.message)
