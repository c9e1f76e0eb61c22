"""The port `Serving`: one model on all replicas, balanced by the client."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chexnet.adapters.tf_serving.config_file import ConfigFile
from chexnet.adapters.tf_serving.golden import Golden, read
from chexnet.adapters.tf_serving.labelling import Wanted, apply
from chexnet.adapters.tf_serving.replica import Replica
from chexnet.errors import ConfigError, NotFound, Unavailable
from chexnet.settings import ServingSettings


class TfServing:
    """A `Serving`. Requests go to the replicas in turn; one that can't answer is passed over."""

    def __init__(
        self,
        addresses: Sequence[str],
        model: str,
        timeout: float = 10.0,
        *,
        ca_file: Path | None = None,
        config_file: Path | None = None,
        models: Path | None = None,
        load_timeout: float = 120.0,
    ) -> None:
        """Name the replicas; nothing is connected yet.

        Args:
            addresses: host:port of each replica's gRPC.
            model: the served model's name.
            timeout: seconds that one call may take, over all replicas that it tries.
            ca_file: the authority of the replicas' certificates; None: no TLS.
            config_file: TF Serving's model config; only `label` needs it, and `models`.
            models: the folder of releases, for a model that the file does not name yet.
            load_timeout: seconds that `label` waits for versions to load.
        """
        if not addresses:
            rule = "CHEXNET_SERVING__REPLICAS must name at least one host:port."
            raise ConfigError(f"{rule} Received: none. Start the stack, which writes it: make up")
        self._replicas = [Replica(address, ca_file) for address in addresses]
        self._model = model
        self._timeout = timeout
        self._config_file = config_file
        self._models = models
        self._load_timeout = load_timeout
        self._turn = itertools.count()
        self._lock = threading.Lock()

    @classmethod
    def of(cls, settings: ServingSettings, model: str) -> TfServing:
        """Return it with all that the settings name."""
        return cls(
            settings.addresses,
            model,
            settings.timeout,
            ca_file=settings.ca_file,
            config_file=settings.config_file,
            models=settings.models,
        )

    @classmethod
    def each(cls, settings: ServingSettings, model: str) -> dict[str, TfServing]:
        """Return one for each replica, by its address."""
        return {
            address: cls([address], model, settings.timeout, ca_file=settings.ca_file)
            for address in settings.addresses
        }

    def predict(self, version: int, x: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Return the outputs for a batch, from the next replica that has this version.

        Raises:
            NotFound: no replica that answers serves it.
            Unavailable: a replica that might serve it does not answer, and no other has it.
        """
        deadline = time.monotonic() + self._timeout
        down: Unavailable | None = None
        missing: NotFound | None = None
        for tried, replica in enumerate(self._in_turn()):
            left = max(deadline - time.monotonic(), 0.001)
            seconds = left / (len(self._replicas) - tried)  # Some for those after it.
            try:
                return replica.predict(self._model, version, x, seconds)
            except Unavailable as error:
                down = error
            except NotFound as error:
                missing = error
        if down is not None:
            raise down
        assert missing is not None  # noqa: S101  # There is at least one replica.
        raise missing

    def _in_turn(self) -> list[Replica]:
        with self._lock:
            first = next(self._turn) % len(self._replicas)
        return self._replicas[first:] + self._replicas[:first]

    def states(self) -> dict[str, dict[int, str]]:
        """Return replica → version → state; raise Unavailable if one does not answer."""
        return {
            replica.address: {
                version: status.state
                for version, status in replica.states(self._model, self._timeout).items()
            }
            for replica in self._replicas
        }

    def golden(self, version: int, expected: Golden) -> None:
        """Ask every replica the golden inputs of `version`.

        Raises:
            Refused: a replica answers something else.
            NotFound: a replica does not serve this version.
            Unavailable: a replica does not answer.
        """
        for replica in self._replicas:

            def ask(x: NDArray[Any], replica: Replica = replica) -> dict[str, NDArray[np.float32]]:
                return replica.predict(self._model, version, x, self._timeout)

            expected.check(ask)

    def repeats_golden(self, version: int) -> None:
        """Ask every replica the golden inputs that lie in the release; raise as `golden` does."""
        if self._models is None:
            rule = "Golden outputs are read from CHEXNET_SERVING__MODELS. Received: none."
            raise ConfigError(f"{rule} Run it where the stack wrote its settings.")
        self.golden(version, read(self._models / self._model / str(version)))

    def label(self, labels: Mapping[str, int], keep: Iterable[int]) -> None:
        """Set the labels on every replica, and keep exactly the versions `keep` loaded.

        What can be done is done on every replica, and written to the config file so that a
        restart agrees; then what could not is raised.

        Raises:
            Refused: a version can't be served; the message says where and why.
            Unavailable: a replica does not answer, or has not loaded in time.
            ConfigError: the settings or the config file don't allow it.
        """
        if self._config_file is None or self._models is None:
            rule = "Changing what is served needs CHEXNET_SERVING__CONFIG_FILE and __MODELS."
            raise ConfigError(f"{rule} Received: none. Run it where the stack wrote its settings.")
        wanted = Wanted(
            model=self._model,
            base_path=self._models / self._model,
            versions=frozenset(keep) | frozenset(labels.values()),
            labels=dict(labels),
        )
        apply(
            wanted,
            self._replicas,
            ConfigFile(self._config_file),
            timeout=self._timeout,
            load_timeout=self._load_timeout,
        )

    def close(self) -> None:
        """Close the channels."""
        for replica in self._replicas:
            replica.close()
