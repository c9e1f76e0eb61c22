"""The lifecycle of versions: what should be served is loaded, then what should not is unloaded.

One thread changes what is served; requests only look. A version is AVAILABLE from the moment at
which requests find it (golden outputs repeated) until they find it no more; UNLOADING until its
last request is answered. The order keeps a model answering: nothing is unloaded before what
replaces it answers, and a label's version never.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.model_server import config as configs
from services.model_server import policy
from services.model_server.batching import Limits
from services.model_server.config import Models, Source
from services.model_server.engines.base import Loader
from services.model_server.errors import (
    Code,
    ServingError,
    label_unavailable,
    not_served,
    unknown_label,
)
from services.model_server.states import State, States, Status
from services.model_server.version import Served

log = logging.getLogger(__name__)

Folder = tuple[int, int]  # Inode and time of change: who replaces a failed folder changes it.


class Lifecycle:
    """All models of the server."""

    def __init__(
        self, load: Loader, limits: Limits, *, source: Source, poll_seconds: float
    ) -> None:
        self.states = States()
        self._source = source
        self._load = load
        self._limits = limits
        self._poll_seconds = poll_seconds
        self._lock = threading.Lock()  # Of the three below; requests hold it for a look-up.
        self._models: Models = {}
        self._served: dict[str, dict[int, Served]] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._failed: dict[tuple[str, int], Folder] = {}  # The lifecycle thread's own.
        self._unknown: set[str] = set()  # Models whose folder could not be read, to say it once.
        self._deciding = threading.Lock()  # Who reads a config configures it before the next.
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="lifecycle", daemon=True)

    def start(self) -> None:
        """Begin to load and unload."""
        self._thread.start()

    def stop(self) -> None:
        """Load and unload no more; what is served goes on answering."""
        self._stopping = True
        self._wake.set()
        self._thread.join()

    @contextmanager
    def serving(self, model: str, version: int | None = None, label: str = "") -> Iterator[Served]:
        """Hold the version that a request means: a number, a label's, else the latest.

        Raises:
            ServingError: in TF Serving's words, when there is none.
        """
        with self._lock:
            if label:
                if label not in self._labels.get(model, {}):
                    raise unknown_label(label)
                version = self._labels[model][label]
            served = self._served.get(model, {})
            number = max(served, default=None) if version is None else version
            if number is None or number not in served:
                raise not_served(model, version)
            held = served[number]
            held.take()
        try:
            yield held
        finally:
            held.give_back()

    def configure(self, models: Models, *, strict: bool = False) -> None:
        """Serve `models` from now on; loading follows.

        Args:
            models: all of them: what is not named is unloaded.
            strict: a label that moves must move to an AVAILABLE version, as a reload by gRPC
                demands it. Else it moves when its version gets there.

        Raises:
            ServingError: a label may not move; nothing was changed then.
        """
        with self._lock:
            if strict:
                for model in models.values():
                    self._check_labels(model)
            self._models = models
            self._settle_labels()
        self._wake.set()

    def reload(self, models: Models) -> set[str]:
        """Serve `models`, as somebody asks by gRPC; return the names of those that are new.

        What the source says by now is older than that, and does not undo it at the next look.

        Raises:
            ServingError: as `configure` when strict.
        """
        with self._deciding:
            self._source.changed()
            new = set(models) - set(self.models())
            self.configure(models, strict=True)
        return new

    def wait_until_decided(self, models: set[str]) -> None:
        """Wait until each of `models` answers, or all its versions failed to load.

        Raises:
            ServingError: UNKNOWN, for those that failed.
        """
        while not self.states.wait_for(
            lambda: all(self._decided(model) for model in models), self._poll_seconds
        ):
            continue  # A folder may have gone, which is no transition.
        failed = {
            (model, version): status
            for model in sorted(models)
            for version, status in self.states.of(model).items()
            if status.code != Code.OK and not self._available(model)
        }
        if failed:
            each = "".join(
                f"{{{{name: {m} version: {v}}} due to error: {s.code.name}: {s.message}}}, "
                for (m, v), s in failed.items()
            )
            message = f"{len(failed)} model(s) did not become available: {{{each}}}"
            raise ServingError(Code.UNKNOWN, message)

    def models(self) -> Models:
        """Return what is configured."""
        with self._lock:
            return dict(self._models)

    def labels(self, model: str) -> dict[str, int]:
        """Return the labels that requests may use now."""
        with self._lock:
            return dict(self._labels.get(model, {}))

    def drain(self, timeout: float) -> None:
        """Wait until no request is being answered."""
        with self._lock:
            every = [served for versions in self._served.values() for served in versions.values()]
        for served in every:
            served.drain(timeout)

    def _available(self, model: str) -> bool:
        return any(s.state == State.AVAILABLE for s in self.states.of(model).values())

    def _decided(self, model: str) -> bool:
        wanted = self._models.get(model)
        if wanted is None or self._stopping or self._available(model):
            return True
        try:
            aspired = policy.aspired(wanted)
        except OSError:
            return True
        known = self.states.of(model)
        return all(v in known and known[v].state == State.END for v in aspired)

    def _check_labels(self, model: configs.ModelConfig) -> None:
        known = self._labels.get(model.name, {})
        served = self._served.get(model.name, {})
        for label, version in model.version_labels.items():
            if known.get(label) != version and version not in served:
                raise label_unavailable(model.name, version)

    def _settle_labels(self) -> None:
        """Let each label point where the config wants it, or stay until that version answers."""
        settled: dict[str, dict[str, int]] = {}
        for name, model in self._models.items():
            known, served = self._labels.get(name, {}), self._served.get(name, {})
            settled[name] = {
                label: version if version in served else known.get(label, version)
                for label, version in model.version_labels.items()
            }
        self._labels = settled

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._wake.clear()
                with self._deciding:
                    if (models := self._source.changed()) is not None:
                        self.configure(models)
                        self._wake.clear()
                self._reconcile()
            except Exception:
                log.exception("lifecycle failed; trying again")
            self._wake.wait(self._poll_seconds)

    def _reconcile(self) -> None:
        models = self.models()
        for name, model in models.items():
            try:
                aspired = policy.aspired(model)
            except OSError as error:
                if name not in self._unknown:
                    log.warning("no base path", extra=_of(name, reason=str(error)))
                self._unknown.add(name)
                continue  # Nothing is known, so nothing changes.
            self._unknown.discard(name)
            self._announce(name, aspired)
            for version, folder in sorted(aspired.items(), reverse=True):
                if self._stopping or self._wake.is_set():
                    return  # A newer config has come: begin again with it.
                self._bring_up(name, version, folder)
            self._take_down(name, keep=set(aspired))
        for name in [n for n in self._served if n not in models]:
            self._take_down(name, keep=set())

    def _announce(self, model: str, aspired: dict[int, Path]) -> None:
        """Say START of all that will be loaded: what is not mentioned then has no folder."""
        for version, folder in aspired.items():
            if self._identity_to_load(model, version, folder) is not None:
                self.states.set(model, version, Status(State.START))

    def _identity_to_load(self, model: str, version: int, folder: Path) -> Folder | None:
        """Return the folder's identity; None if it is served, has failed as it is, or is gone."""
        if version in self._served.get(model, {}):
            return None
        try:
            found = os.stat(folder)
        except FileNotFoundError:
            return None
        identity = (found.st_ino, found.st_mtime_ns)
        return None if self._failed.get((model, version)) == identity else identity

    def _bring_up(self, model: str, version: int, folder: Path) -> None:
        if (identity := self._identity_to_load(model, version, folder)) is None:
            return
        log.info("loading", extra=_of(model, version=version))
        self.states.set(model, version, Status(State.LOADING))
        try:
            served = Served(model, version, folder, self._load, self._limits)
        except Exception as error:  # Of one version: the server and the others go on.
            code = error.code if isinstance(error, ServingError) else Code.FAILED_PRECONDITION
            log.warning("load failed", extra=_of(model, version=version, reason=str(error)))
            self._failed[model, version] = identity
            self.states.set(model, version, Status(State.END, code, str(error)))
            return
        self._failed.pop((model, version), None)
        with self._lock:
            self._served.setdefault(model, {})[version] = served
            self._settle_labels()
        self.states.set(model, version, Status(State.AVAILABLE))
        log.info("available", extra=_of(model, version=version))

    def _take_down(self, model: str, *, keep: set[int]) -> None:
        for key in [k for k in self._failed if k[0] == model and k[1] not in keep]:
            del self._failed[key]  # Asked for again, it is tried again.
        with self._lock:
            served = self._served.get(model, {})
            labelled = set(self._labels.get(model, {}).values())
            if keep and not keep & set(served):
                return  # What should replace them does not answer yet.
            gone = [served.pop(v) for v in sorted(set(served) - keep - labelled)]
            if not served:
                self._served.pop(model, None)
            for version in gone:
                self.states.set(model, version.number, Status(State.UNLOADING))
        for version in gone:  # A slow request holds up its own version only.
            threading.Thread(target=self._unload, args=(version,), daemon=True).start()

    def _unload(self, served: Served) -> None:
        served.drain()
        served.close()
        with self._lock:
            again = served.number in self._served.get(served.model, {})
        if not again:
            self.states.set(served.model, served.number, Status(State.END))
        log.info("unloaded", extra=_of(served.model, version=served.number))


def _of(model: str, **fields: int | str) -> dict[str, dict[str, int | str]]:
    return {"fields": {"model": model, **fields}}
